"""Instances that wait for a moment: retries, reschedules, deferrals."""

from datetime import datetime

from flowd.db.ledger import choosing
from flowd.db.ledger.read import INSTANCE_COLUMNS, instance_of
from flowd.db.moments import from_db
from flowd.db.transaction import Transaction
from flowd.domain.states import WAITING
from flowd.domain.task_instance import TaskInstance

_WAITING = ", ".join(f"'{state}'" for state in sorted(WAITING))


async def due(tx: Transaction, *, limit: int) -> list[TaskInstance]:
    """Return waiting instances whose moment has come, under lock, less those that others hold."""
    rows = await choosing.free(
        tx,
        "task_instance",
        INSTANCE_COLUMNS,
        f"t.state IN ({_WAITING}) AND t.not_before <= {tx.dialect.now}",
        {},
        order="t.not_before",
        limit=limit,
    )
    return [instance_of(row) for row in rows]


async def next_moment(tx: Transaction) -> datetime | None:
    """Return the earliest moment for which an instance waits, be it for its time or for an old process to be dead."""
    rows = await tx.execute(
        f"SELECT MIN(not_before) FROM task_instance WHERE state IN ({_WAITING})"
        " UNION ALL SELECT MIN(held_until) FROM task_instance WHERE state = 'restarting'"
    )
    return from_db(min((moment for (moment,) in rows if moment is not None), default=None))
