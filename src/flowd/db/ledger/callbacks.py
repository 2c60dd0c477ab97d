"""Runs whose DAG wants to be told of their end: due until somebody has called it, by one caller at a time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowd.db.assignments import CONTEXT_COLUMNS
from flowd.db.ledger import choosing
from flowd.db.moments import from_db, to_db
from flowd.db.rows import Row
from flowd.db.transaction import Transaction
from flowd.domain.ids import BundleHash, DagId, RunId, RunKey
from flowd.domain.states import RunState

_COLUMNS = f"id, dag_id, run_id, state, dag_version, bundle, {CONTEXT_COLUMNS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCallback:
    """An ended run whose DAG's callback is to be called; `row` has assignments.CONTEXT_COLUMNS.

    `taken_until` is when it is due again, unless it is done by then; it tells this end of the run from a later one.
    """

    run: RunKey
    dag_id: DagId
    run_id: RunId
    state: RunState
    dag_version: int
    bundle: BundleHash
    taken_until: datetime
    row: Row


async def want_callback(tx: Transaction, runs: Sequence[RunKey]) -> None:
    """Note, in the transaction that ends them, that these runs' callbacks are due now."""
    if runs:
        await tx.execute(
            f"UPDATE dag_run SET callback_due_at = {tx.dialect.now} WHERE id IN {tx.dialect.keys()}",
            {"keys": json.dumps(sorted(runs))},
        )


async def next_due(tx: Transaction) -> datetime | None:
    """Return when the next callback is due."""
    earliest: int | None = (
        await tx.execute("SELECT MIN(callback_due_at) FROM dag_run WHERE callback_due_at IS NOT NULL")
    ).scalar_one()
    return from_db(earliest)


async def take(tx: Transaction, *, for_at_most: timedelta, limit: int) -> list[DueCallback]:
    """Take due callbacks; whoever has not called them after `for_at_most` leaves them to the next to take."""
    rows = await choosing.free(
        tx,
        "dag_run",
        _COLUMNS,
        f"t.callback_due_at <= {tx.dialect.now}",
        {},
        order="t.callback_due_at",
        limit=limit,
    )
    until = await tx.now() + for_at_most
    taken = [_due(row, until) for row in rows]
    await tx.execute(
        f"UPDATE dag_run SET callback_due_at = :until WHERE id IN {tx.dialect.keys()}",
        {"keys": json.dumps([one.run for one in taken]), "until": to_db(until)},
    )
    return taken


async def done(tx: Transaction, due: DueCallback) -> None:
    """Note that the callback has been called; where the run has ended once more since, that end's stays due."""
    await tx.execute(
        "UPDATE dag_run SET callback_due_at = NULL WHERE id = :id AND callback_due_at = :taken_until",
        {"id": due.run, "taken_until": to_db(due.taken_until)},
    )


async def unwant(tx: Transaction, run: RunKey) -> None:
    """Note that the run goes on: nobody is to be told that it has ended."""
    await tx.execute("UPDATE dag_run SET callback_due_at = NULL WHERE id = :id", {"id": run})


def _due(row: Row, taken_until: datetime) -> DueCallback:
    return DueCallback(
        run=RunKey(row["id"]),
        dag_id=DagId(row["dag_id"]),
        run_id=RunId(row["run_id"]),
        state=RunState(row["state"]),
        dag_version=row["dag_version"],
        bundle=BundleHash(row["bundle"]),
        taken_until=taken_until,
        row=row,
    )
