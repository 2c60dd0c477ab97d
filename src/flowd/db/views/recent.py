"""The last runs of each DAG, found on the index of recent runs, so that a long history costs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, union_all

from flowd.db.moments import from_db
from flowd.db.tables import dag_run
from flowd.db.transaction import Transaction
from flowd.domain.states import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRun:
    """A run, as far as a list of DAGs shows it."""

    key: int
    dag_id: str
    run_id: str
    state: RunState
    run_after: datetime


async def recent_runs(tx: Transaction, dag_ids: Sequence[str], *, per_dag: int) -> dict[str, list[RecentRun]]:
    """Return the latest runs of each of up to 100 DAGs, the latest first."""
    found: dict[str, list[RecentRun]] = {dag_id: [] for dag_id in dag_ids}
    if not dag_ids:
        return found
    columns = (dag_run.c.id, dag_run.c.dag_id, dag_run.c.run_id, dag_run.c.state, dag_run.c.run_after)
    of_each = [
        # As a subquery of its own: SQLite takes no LIMIT inside a UNION otherwise.
        select(
            select(*columns)
            .where(dag_run.c.dag_id == dag_id)
            .order_by(dag_run.c.run_after.desc())
            .limit(per_dag)
            .subquery()
        )
        for dag_id in dag_ids
    ]
    for key, dag_id, run_id, state, run_after in await tx.execute(union_all(*of_each)):
        found[dag_id].append(
            RecentRun(key=key, dag_id=dag_id, run_id=run_id, state=RunState(state), run_after=from_db(run_after))
        )
    for runs in found.values():
        runs.sort(key=lambda run: (run.run_after, run.key), reverse=True)
    return found
