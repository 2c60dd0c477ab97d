"""The audit log: who changed what, before and after. It is only ever added to.

A row is written by the transaction of the change, so that there is neither a change without its row nor a row without
its change. What nobody asked for (schedulers, workers) is in the history of runs and tasks instead.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from flowd.db.actor import Actor, Change
from flowd.db.moments import to_db
from flowd.db.tables import audit_event

if TYPE_CHECKING:
    from flowd.db.transaction import Transaction

MOST_CHANGES = 100
"""How many changes one row tells one by one; of more it tells the number."""


def statement_of(actor: Actor, changes: Sequence[Change], now: datetime) -> Any:
    """Return the statement that adds the row of a transaction."""
    about = dict(actor.about)
    named = {name: about.pop(name, None) for name in ("dag_id", "run_id", "task_id")}
    numbers = {name: _number(about.pop(name, None)) for name in ("map_index", "try_number")}
    extra: dict[str, Any] = {"request_id": actor.request_id, **about}
    if changes:
        extra["changes"] = [_told(one) for one in changes[:MOST_CHANGES]]
        extra["changed"] = len(changes)
    return insert(audit_event).values(
        at=to_db(now), event=actor.event, owner=actor.name, extra=json.dumps(extra, default=str), **named, **numbers
    )


async def note(tx: "Transaction", actor: Actor, changes: Sequence[Change] = ()) -> None:
    """Add a row about what is of note and not a change by an actor of this transaction: a login, a token's use."""
    await tx.execute(statement_of(actor, changes, await tx.now()))


def _told(change: Change) -> Mapping[str, Any]:
    return {"thing": change.thing, "before": change.before, "after": change.after}


def _number(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except ValueError:
        return None
