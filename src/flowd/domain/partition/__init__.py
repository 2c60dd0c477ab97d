"""Partitions of assets: which keys of an asset's events make which keys of the runs that wait for them."""
