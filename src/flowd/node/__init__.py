"""The composition root: settings become a metastore, a queue and the roles this node enables, in one process."""

from flowd.node.main import main

__all__ = ["main"]
