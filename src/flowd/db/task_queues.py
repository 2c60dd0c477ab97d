"""Queues that are paused: nothing is queued in them."""

from datetime import datetime

from flowd.db.insert_missing import insert_missing
from flowd.db.moments import from_db, to_db
from flowd.db.transaction import Transaction
from flowd.domain.ids import RunKey

MOST_RUNS = 1_000
_COLUMNS = {"name": "text", "paused_at": "int"}


async def paused(tx: Transaction) -> dict[str, datetime]:
    """Return the paused queues, and since when."""
    rows = await tx.execute("SELECT name, paused_at FROM task_queue ORDER BY name")
    return {name: from_db(paused_at) for name, paused_at in rows}


async def pause(tx: Transaction, name: str, now: datetime) -> None:
    """Write that the queue is paused from now on, where it is not."""
    await insert_missing(tx, "task_queue", _COLUMNS, [{"name": name, "paused_at": to_db(now)}])


async def resume(tx: Transaction, name: str) -> None:
    """Write that the queue is not paused."""
    await tx.execute("DELETE FROM task_queue WHERE name = :name", {"name": name})


async def runs_waiting_in(tx: Transaction, name: str) -> list[RunKey]:
    """Return runs with scheduled instances in the queue, the first thousand: the poll finds the others."""
    rows = await tx.execute(
        "SELECT DISTINCT run FROM task_instance WHERE state = 'scheduled' AND queue = :name ORDER BY run LIMIT :most",
        {"name": name, "most": MOST_RUNS},
    )
    return [RunKey(key) for (key,) in rows]
