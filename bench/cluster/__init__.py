"""A cluster to measure: its servers, its nodes, its API and its ledger, which is only read."""
