"""MappedResults: which instances of a mapped task have left a value, found once for all that are mapped over them."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from flowd.db import xcoms
from flowd.db.ledger import read
from flowd.db.transaction import Transaction
from flowd.domain.ids import DagId, InstanceKey, RunId

MOST_INSTANCES = 500_000
"""How many instances the kept lists may name: some 20 MB."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A mapped task's values as those see them that were scheduled together: not before these had been left."""

    dag_id: DagId
    run_id: RunId
    task_id: str
    name: str
    seen_by: tuple[str, int]


class MappedResults:
    """Keeps the lists that were last asked for.

    Without them, each of N instances would count through up to N values to find its own. A list is kept for the
    instances of one task that one transaction scheduled: all were scheduled after the values had been left, and who
    is scheduled again, since a value has changed, finds another list.
    """

    def __init__(self, most_instances: int = MOST_INSTANCES) -> None:
        self._most_instances = most_instances
        self._kept: OrderedDict[_Source, list[InstanceKey]] = OrderedDict()
        self._instances = 0

    async def page(
        self,
        tx: Transaction,
        *,
        dag_id: DagId,
        run_id: RunId,
        task_id: str,
        name: str,
        start: int,
        count: int,
        asked_by: InstanceKey | None,
    ) -> list[Any]:
        """Return the values by map index: `count` from `start` on. There may be fewer, or none."""
        found = await self._instances_of(tx, dag_id, run_id, task_id, name, asked_by)
        return await xcoms.values_of(tx, found[start : start + count], name)

    async def length(
        self, tx: Transaction, *, dag_id: DagId, run_id: RunId, task_id: str, name: str, asked_by: InstanceKey | None
    ) -> int:
        """Return how many values there are."""
        return len(await self._instances_of(tx, dag_id, run_id, task_id, name, asked_by))

    async def _instances_of(
        self, tx: Transaction, dag_id: DagId, run_id: RunId, task_id: str, name: str, asked_by: InstanceKey | None
    ) -> list[InstanceKey]:
        seen_by = None if asked_by is None else await read.scheduling_of(tx, asked_by)
        source = None if seen_by is None else _Source(dag_id, run_id, task_id, name, seen_by)
        if source is not None and source in self._kept:
            self._kept.move_to_end(source)
            return self._kept[source]
        found = await xcoms.instances_with(tx, dag_id=dag_id, run_id=run_id, task_id=task_id, name=name)
        if source is not None:
            self._keep(source, found)
        return found

    def _keep(self, source: _Source, found: list[InstanceKey]) -> None:
        # Others may have asked for the same list while this one was read.
        if len(found) > self._most_instances or source in self._kept:
            return
        self._kept[source] = found
        self._instances += len(found)
        while self._instances > self._most_instances:
            _, gone = self._kept.popitem(last=False)
            self._instances -= len(gone)
