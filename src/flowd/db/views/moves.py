"""Moves: the recorded changes of state of a run and of a task instance, with what caused each."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from flowd.db.moments import from_db
from flowd.db.tables import run_transition, task_transition
from flowd.db.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One change of state; `try_number` is None for a run."""

    at: datetime
    before: str
    after: str
    cause: str
    try_number: int | None = None


async def moves_of_run(tx: Transaction, run: int) -> list[Move]:
    """Return the changes of a run, the first one first."""
    rows = await tx.execute(
        select(run_transition).where(run_transition.c.run == run).order_by(run_transition.c.version)
    )
    return [
        Move(at=from_db(row["at"]), before=row["from_state"], after=row["to_state"], cause=row["cause"])
        for row in rows.mappings()
    ]


async def moves_of_instance(tx: Transaction, instance: int) -> list[Move]:
    """Return the changes of a task instance, the first one first."""
    rows = await tx.execute(
        select(task_transition).where(task_transition.c.instance == instance).order_by(task_transition.c.version)
    )
    return [
        Move(
            at=from_db(row["at"]),
            before=row["from_state"],
            after=row["to_state"],
            cause=row["cause"],
            try_number=row["try_number"],
        )
        for row in rows.mappings()
    ]
