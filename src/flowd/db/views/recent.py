"""The last runs of each DAG, found on the index of recent runs, so that a long history costs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, func, or_, select, union_all

from flowd.db.moments import from_db, to_db
from flowd.db.tables import dag, dag_run
from flowd.db.transaction import Transaction
from flowd.db.views.runs import duration_seconds
from flowd.db.views.sight import is_seen
from flowd.domain.relevance import words_of
from flowd.domain.states import RunState

_COLUMNS = (
    dag_run.c.id,
    dag_run.c.dag_id,
    dag_run.c.run_id,
    dag_run.c.state,
    dag_run.c.run_after,
    dag_run.c.started_at,
    dag_run.c.ended_at,
)

SEARCHED_RUNS = 5000
"""How far back runs are searched by parts of their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRun:
    """A run, as far as a list of DAGs shows it."""

    key: int
    dag_id: str
    run_id: str
    state: RunState
    run_after: datetime
    started_at: datetime | None
    ended_at: datetime | None

    def duration_seconds(self, now: datetime) -> float | None:
        """How long it has taken by now; None where it has not started."""
        return duration_seconds(self.started_at, self.ended_at or now)


async def recent_runs(tx: Transaction, dag_ids: Sequence[str], *, per_dag: int) -> dict[str, list[RecentRun]]:
    """Return the latest runs of each of up to 100 DAGs, the latest first."""
    found: dict[str, list[RecentRun]] = {dag_id: [] for dag_id in dag_ids}
    if not dag_ids:
        return found
    of_each = [
        # As a subquery of its own: SQLite takes no LIMIT inside a UNION otherwise.
        select(
            select(*_COLUMNS)
            .where(dag_run.c.dag_id == dag_id)
            .order_by(dag_run.c.run_after.desc())
            .limit(per_dag)
            .subquery()
        )
        for dag_id in dag_ids
    ]
    for row in (await tx.execute(union_all(*of_each))).mappings():
        found[row["dag_id"]].append(_run(row))
    for runs in found.values():
        runs.sort(key=lambda run: (run.run_after, run.key), reverse=True)
    return found


async def runs_before(
    tx: Transaction, dag_id: str, *, most: int, before: datetime | None = None, run_type: str = "", state: str = ""
) -> list[RecentRun]:
    """Return the latest runs of a DAG, the latest first: those due before a moment, of a type, in a state alone."""
    statement = select(*_COLUMNS).where(dag_run.c.dag_id == dag_id)
    if before is not None:
        statement = statement.where(dag_run.c.run_after < to_db(before))
    if run_type:
        statement = statement.where(dag_run.c.run_type == run_type)
    if state:
        statement = statement.where(dag_run.c.state == state)
    rows = await tx.execute(statement.order_by(dag_run.c.run_after.desc(), dag_run.c.id.desc()).limit(most))
    return [_run(row) for row in rows.mappings()]


async def runs_with(tx: Transaction, text: str, *, most: int) -> list[RecentRun]:
    """Return runs that may be seen and have each word of the text in their id or their DAG's, the latest first.

    Those are looked for among the latest SEARCHED_RUNS of all DAGs. By its whole id a run is found however old it is.
    """
    seen = select(dag.c.dag_id).where(is_seen(tx, dag.c.dag_id))
    # In no order: asked for the latest, SQLite would walk all runs from the last on.
    named = select(*_COLUMNS).where(dag_run.c.dag_id.in_(seen), dag_run.c.run_id == text.strip()).limit(most)
    oldest = select(func.max(dag_run.c.id) - SEARCHED_RUNS).scalar_subquery()
    latest = select(*_COLUMNS).where(dag_run.c.id > oldest, is_seen(tx, dag_run.c.dag_id))
    for word in words_of(text):
        ids = (dag_run.c.run_id, dag_run.c.dag_id)
        latest = latest.where(or_(*(column.icontains(word, autoescape=True) for column in ids)))
    latest = latest.order_by(dag_run.c.id.desc()).limit(most)
    found = {row["id"]: _run(row) for statement in (named, latest) for row in (await tx.execute(statement)).mappings()}
    return list(found.values())[:most]


def _run(row: RowMapping) -> RecentRun:
    return RecentRun(
        key=row["id"],
        dag_id=row["dag_id"],
        run_id=row["run_id"],
        state=RunState(row["state"]),
        run_after=from_db(row["run_after"]),
        started_at=from_db(row["started_at"]),
        ended_at=from_db(row["ended_at"]),
    )
