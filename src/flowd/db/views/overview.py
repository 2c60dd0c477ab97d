"""Overview: what a first page says of the last hours. It costs what happened in them alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from flowd.db.moments import from_db, to_db
from flowd.db.tables import dag_run
from flowd.db.transaction import Transaction
from flowd.db.views.sight import is_seen
from flowd.domain.states import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRuns:
    """The runs that ended in a stretch of time, by state, and in which of its equal parts."""

    since: datetime
    part: timedelta
    by_part: Sequence[dict[RunState, int]]

    @property
    def by_state(self) -> dict[RunState, int]:
        """How many there are in all."""
        total: dict[RunState, int] = {}
        for part in self.by_part:
            for state, number in part.items():
                total[state] = total.get(state, 0) + number
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingDag:
    """A DAG of which runs have failed lately."""

    dag_id: str
    failed: int
    last_failed_at: datetime
    last_run_id: str


async def ended_runs(tx: Transaction, *, until: datetime, part: timedelta, parts: int) -> EndedRuns:
    """Return the runs that ended in the last `parts` parts before `until`, those that may be seen."""
    since = until - part * parts
    width = part // timedelta(microseconds=1)
    number = ((dag_run.c.ended_at - to_db(since)) // width).label("number")
    rows = await tx.execute(
        select(number, dag_run.c.state, func.count())
        .where(dag_run.c.ended_at >= to_db(since), dag_run.c.ended_at < to_db(until), is_seen(tx, dag_run.c.dag_id))
        .group_by(number, dag_run.c.state)
    )
    by_part: list[dict[RunState, int]] = [{} for _ in range(parts)]
    for index, state, count in rows:
        by_part[int(index)][RunState(state)] = int(count)
    return EndedRuns(since=since, part=part, by_part=by_part)


async def failing_dags(tx: Transaction, *, since: datetime, limit: int) -> list[FailingDag]:
    """Return the DAGs with the most runs that failed since then, the worst first."""
    # Of an expression: by the name alone SQLite would walk every run there is in the order of its index of names.
    name = dag_run.c.dag_id.concat("").label("dag_id")
    failed = (
        select(name, func.count().label("failed"), func.max(dag_run.c.ended_at).label("at"))
        .where(
            dag_run.c.ended_at >= to_db(since),
            dag_run.c.state == RunState.FAILED.value,
            is_seen(tx, dag_run.c.dag_id),
        )
        .group_by(name)
        .order_by(func.count().desc(), func.max(dag_run.c.ended_at).desc(), name)
        .limit(limit)
        .subquery()
    )
    rows = await tx.execute(
        select(failed.c.dag_id, failed.c.failed, failed.c.at, func.max(dag_run.c.run_id))
        .join(dag_run, (dag_run.c.dag_id == failed.c.dag_id) & (dag_run.c.ended_at == failed.c.at))
        .where(dag_run.c.state == RunState.FAILED.value)
        .group_by(failed.c.dag_id, failed.c.failed, failed.c.at)
        .order_by(failed.c.failed.desc(), failed.c.at.desc(), failed.c.dag_id)
    )
    return [
        FailingDag(dag_id=dag_id, failed=int(count), last_failed_at=from_db(int(at)), last_run_id=run_id)
        for dag_id, count, at, run_id in rows
    ]


async def due_runs(tx: Transaction, dag_ids: Sequence[str], *, since: datetime) -> dict[str, dict[str, int]]:
    """Return for each of these DAGs how many of its runs due since then are in each state."""
    found: dict[str, dict[str, int]] = {dag_id: {} for dag_id in dag_ids}
    if dag_ids:
        rows = await tx.execute(
            select(dag_run.c.dag_id, dag_run.c.state, func.count())
            .where(dag_run.c.dag_id.in_(dag_ids), dag_run.c.run_after >= to_db(since))
            .group_by(dag_run.c.dag_id, dag_run.c.state)
        )
        for dag_id, state, count in rows:
            found[dag_id][state] = int(count)
    return found


async def runs_by_day(
    tx: Transaction, dag_id: str, *, since: datetime, ahead_of_utc: timedelta
) -> dict[int, dict[str, int]]:
    """Return how many runs of a DAG are in each state, by the number of the day that they were due on.

    Days are counted from 1970-01-01, and begin so much earlier than they do in UTC.
    """
    day = timedelta(days=1) // timedelta(microseconds=1)
    number = ((dag_run.c.run_after + ahead_of_utc // timedelta(microseconds=1)) // day).label("number")
    rows = await tx.execute(
        select(number, dag_run.c.state, func.count())
        .where(dag_run.c.dag_id == dag_id, dag_run.c.run_after >= to_db(since))
        .group_by(number, dag_run.c.state)
    )
    found: dict[int, dict[str, int]] = {}
    for index, state, count in rows:
        found.setdefault(int(index), {})[state] = int(count)
    return found
