"""DagCards: what lists show of a DAG version, kept in memory because a version never changes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowd.db.transaction import Transaction
from flowd.domain.dag_spec import dag_from_json
from flowd.domain.timetable import (
    ContinuousTimetable,
    NullTimetable,
    OnceTimetable,
    TimetableSpec,
    description,
    summary,
)

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
    max_active_runs: int
    max_active_tasks: int
    has_task_limits: bool
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
        """Return the card of every DAG's current version."""
        return await self.get(tx, [version for (version,) in await tx.execute("SELECT version FROM dag")])

    async def _read(self, tx: Transaction, versions: set[int]) -> None:
        if len(self._cards) + len(versions) > MOST_CARDS:
            self._cards.clear()
        rows = await tx.execute(
            f"SELECT id, spec FROM dag_version WHERE id IN {tx.dialect.keys()}", {"keys": json.dumps(sorted(versions))}
        )
        self._cards.update({version: _card(json.loads(spec)) for version, spec in rows})


def _card(document: Mapping[str, Any]) -> DagCard:
    dag = dag_from_json(document)
    shown = dag.presentation
    owners = {str(task.presentation["owner"]) for task in dag.tasks if task.presentation.get("owner")}
    if not owners and shown.get("owner"):
        owners = {part.strip() for part in str(shown["owner"]).split(",")}
    return DagCard(
        display_name=shown.get("dag_display_name") or dag.dag_id,
        description=shown.get("description"),
        owners=tuple(sorted(owners)),
        tags=tuple(sorted(shown.get("tags") or ())),
        timetable_summary=summary(dag.timetable),
        timetable_description=description(dag.timetable),
        timetable_type=type(dag.timetable).__name__,
        is_periodic=is_periodic(dag.timetable),
        max_active_runs=dag.max_active_runs,
        max_active_tasks=dag.max_active_tasks,
        has_task_limits=any(
            task.max_active_tis_per_dag is not None or task.max_active_tis_per_dagrun is not None for task in dag.tasks
        ),
        task_names={task.task_id: task.presentation.get("task_display_name") or task.task_id for task in dag.tasks},
    )


def is_periodic(timetable: TimetableSpec) -> bool:
    """True where the timetable gives runs again and again by the clock."""
    return not isinstance(timetable, NullTimetable | OnceTimetable | ContinuousTimetable)
