"""What is live, so briefly that two looks tell what has changed: the runs under way, and where the DAGs stand.

No transition is written for it: a look costs what is under way, and is taken only while somebody watches.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Integer, cast, func, select

from flowd.db.tables import dag, dag_run, task_instance
from flowd.db.transaction import Transaction
from flowd.db.views.live_states import is_one_of, is_state
from flowd.domain.states import WAITING, RunState, TaskState

_LIVE_RUNS = (RunState.QUEUED, RunState.RUNNING)
_HELD = (TaskState.SCHEDULED, TaskState.QUEUED, TaskState.RUNNING, TaskState.RESTARTING)


@dataclass(frozen=True, slots=True)
class LiveLook:
    """The mark of each run under way, by its key, with the DAG it is of; and one mark of all DAGs together.

    A mark is another one after every transition of the run and of its tasks.
    """

    runs: Mapping[int, tuple[str, tuple[int, ...]]]
    dags: tuple[int, ...]


async def look(tx: Transaction) -> LiveLook:
    """Return how everything stands now."""
    marks: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    rows = await tx.execute(
        select(dag_run.c.id, dag_run.c.dag_id, dag_run.c.version, dag_run.c.unfinished).where(
            is_one_of(dag_run, _LIVE_RUNS)
        )
    )
    for run, dag_id, version, unfinished in rows:
        names[run] = dag_id
        marks[run] = [version, unfinished]
    states = [is_state(task_instance, state) for state in _HELD]
    for condition in (*states, is_one_of(task_instance, tuple(WAITING))):
        tasks = await tx.execute(
            select(task_instance.c.run, func.count(), func.sum(task_instance.c.version))
            .where(condition)
            .group_by(task_instance.c.run)
        )
        for run, count, versions in tasks:
            if run in marks:
                marks[run] += [int(count), int(versions)]
    paused = func.sum(cast(dag.c.is_paused, Integer))
    every = (await tx.execute(select(func.count(), func.max(dag.c.version), paused).select_from(dag))).one()
    return LiveLook(
        runs={run: (names[run], tuple(mark)) for run, mark in marks.items()},
        dags=tuple(int(number or 0) for number in every),
    )


def changed_dags(before: LiveLook, after: LiveLook) -> set[str]:
    """Return the DAGs with a run that has begun, moved or ended between the two looks."""
    return {
        (before.runs.get(run) or after.runs[run])[0]
        for run in before.runs.keys() | after.runs.keys()
        if before.runs.get(run) != after.runs.get(run)
    }
