"""Backends: what every action works with."""

from dataclasses import dataclass

from flowd.clock import Clock
from flowd.db.graphs import Graphs
from flowd.db.metastore import Metastore
from flowd.queue.base import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """The metastore with its cache of graphs, the queue whose doorbell is rung after a commit, and the clock."""

    metastore: Metastore
    graphs: Graphs
    queue: Queue
    clock: Clock
