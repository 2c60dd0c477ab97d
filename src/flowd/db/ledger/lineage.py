"""Which tries are one and the same to the outside world: those that broke off, and the one that took their place."""

from flowd.db.transaction import Transaction
from flowd.domain.ids import InstanceKey
from flowd.domain.task_events import Interrupted, Lost

_BROKEN_OFF = (Lost.cause, Interrupted.cause)


async def first_of_lineage(tx: Transaction, instance: InstanceKey, try_number: int) -> int:
    """Return the first of the tries up to `try_number` that followed each other because none came to its end.

    Such a try lost its worker, or its process was killed by a signal. One that failed by itself has ended.
    """
    rows = await tx.execute(
        "SELECT try_number, cause, exit_signal FROM attempt"
        " WHERE instance = :instance AND try_number < :try_number ORDER BY try_number DESC",
        {"instance": instance, "try_number": try_number},
    )
    first = try_number
    for number, cause, signal in rows:
        is_broken_off = cause in _BROKEN_OFF or (cause == "failed" and signal is not None)
        if number != first - 1 or not is_broken_off:
            break
        first = number
    return first
