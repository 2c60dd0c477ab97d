"""The graphs of DAG versions: immutable, so kept in memory once read."""

import json
from collections import OrderedDict
from collections.abc import Iterable

from flowd.db.transaction import Transaction
from flowd.domain.dag_spec import dag_from_json
from flowd.domain.errors import NotFound
from flowd.domain.graph import Graph, graph_of

MOST_TASKS = 25_000
"""How many tasks the graphs that one node keeps may have in all, at some 4 KB each; those used longest ago go first."""


class Graphs:
    """A cache of graphs by the id of their DAG version."""

    def __init__(self, most_tasks: int = MOST_TASKS) -> None:
        self._most_tasks = most_tasks
        self._graphs: OrderedDict[int, Graph] = OrderedDict()
        self._tasks = 0

    async def get(self, tx: Transaction, versions: Iterable[int]) -> dict[int, Graph]:
        """Return the graph of each version, reading at once those not in memory; raise NotFound for an unknown one."""
        wanted = set(versions)
        missing = wanted - self._graphs.keys()
        found = {version: self._graphs[version] for version in wanted - missing}
        for version in found:
            self._graphs.move_to_end(version)
        if missing:
            rows = await tx.execute(
                f"SELECT id, spec FROM dag_version WHERE id IN {tx.dialect.keys()}",
                {"keys": json.dumps(sorted(missing))},
            )
            for version, spec in rows:
                found[version] = graph_of(dag_from_json(json.loads(spec)))
                self._keep(version, found[version])
        if absent := wanted - found.keys():
            raise NotFound(f"DAG versions {sorted(absent)} are not in the metastore, though runs refer to them")
        return found

    def _keep(self, version: int, graph: Graph) -> None:
        # Others may have read it while this one was read.
        if version not in self._graphs:
            self._tasks += len(graph.tasks)
        self._graphs[version] = graph
        while self._tasks > self._most_tasks:
            _, gone = self._graphs.popitem(last=False)
            self._tasks -= len(gone.tasks)
