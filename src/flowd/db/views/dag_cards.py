"""DagCards: what lists show of a DAG version, kept in memory because a version never changes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from flowd.db.tables import dag
from flowd.db.transaction import Transaction
from flowd.db.views.sight import is_seen
from flowd.domain.dag_access import DagAccess, dag_access_of
from flowd.domain.dag_spec import dag_from_json
from flowd.domain.timetable import CronPartitionTimetable, description, is_periodic, summary

MOST_CARDS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DagCard:
    """The parts of a DAG's spec that lists and filters need."""

    display_name: str
    description: str | None
    owners: tuple[str, ...]
    tags: tuple[str, ...]
    timetable_summary: str
    timetable_description: str
    timetable_type: str
    is_periodic: bool
    is_partitioned: bool
    max_active_runs: int
    max_active_tasks: int
    has_task_limits: bool
    pools: frozenset[str]
    access: DagAccess | None
    """Whom its file lets see and change it; None where it leaves that to their roles."""

    task_names: Mapping[str, str]
    """The display name of each task, by task id."""


class DagCards:
    """Cards by the id of their DAG version."""

    def __init__(self) -> None:
        self._cards: dict[int, DagCard] = {}

    async def get(self, tx: Transaction, versions: Iterable[int]) -> dict[int, DagCard]:
        """Return the card of each of these versions that exists."""
        wanted = set(versions)
        if missing := wanted - self._cards.keys():
            await self._read(tx, missing)
        return {version: self._cards[version] for version in wanted if version in self._cards}

    async def of_current_versions(self, tx: Transaction) -> dict[int, DagCard]:
        """Return the card of the current version of every DAG that may be seen."""
        versions = await tx.execute(select(dag.c.version).where(is_seen(tx, dag.c.dag_id)))
        return await self.get(tx, versions.scalars())

    async def _read(self, tx: Transaction, versions: set[int]) -> None:
        if len(self._cards) + len(versions) > MOST_CARDS:
            self._cards.clear()
        rows = await tx.execute(
            f"SELECT id, spec FROM dag_version WHERE id IN {tx.dialect.keys()}", {"keys": json.dumps(sorted(versions))}
        )
        self._cards.update({version: _card(json.loads(spec)) for version, spec in rows})


def _card(document: Mapping[str, Any]) -> DagCard:
    spec = dag_from_json(document)
    shown = spec.presentation
    owners = {str(task.presentation["owner"]) for task in spec.tasks if task.presentation.get("owner")}
    if not owners and shown.get("owner"):
        owners = {part.strip() for part in str(shown["owner"]).split(",")}
    return DagCard(
        display_name=shown.get("dag_display_name") or spec.dag_id,
        description=shown.get("description"),
        owners=tuple(sorted(owners)),
        tags=tuple(sorted(shown.get("tags") or ())),
        timetable_summary=summary(spec.timetable),
        timetable_description=description(spec.timetable),
        timetable_type=type(spec.timetable).__name__,
        is_periodic=is_periodic(spec.timetable),
        is_partitioned=spec.partitioning is not None or isinstance(spec.timetable, CronPartitionTimetable),
        max_active_runs=spec.max_active_runs,
        max_active_tasks=spec.max_active_tasks,
        has_task_limits=any(
            task.max_active_tis_per_dag is not None or task.max_active_tis_per_dagrun is not None for task in spec.tasks
        ),
        pools=frozenset(task.pool for task in spec.tasks),
        access=dag_access_of(spec.access_control, f"DAG {spec.dag_id!r}"),
        task_names={task.task_id: task.presentation.get("task_display_name") or task.task_id for task in spec.tasks},
    )
