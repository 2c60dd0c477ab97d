"""set_queue_paused, and what becomes of dead letters: list_dead_letters, retry_dead_letters, discard_dead_letters."""

from collections.abc import Collection, Sequence

from flowd.actions.backends import Backends
from flowd.db import task_queues
from flowd.domain.errors import Conflict, InvalidInput, NotFound, QueueUnavailable
from flowd.queue.base import MOST_DEAD_LETTERS, DeadLetter

LONGEST_NAME = 250
EVERY = "~"


async def set_queue_paused(backends: Backends, name: str, is_paused: bool) -> None:
    """Let no scheduler queue anything more in this queue, or let them go on.

    What has been queued in it before is still run. A queue is paused whether or not anything is known of it. Raises
    InvalidInput for a name that no task can have.
    """
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidInput(f"the name of a queue has {len(name)} characters; wanted 1 to {LONGEST_NAME}")
    async with backends.metastore.transaction() as tx:
        before = name in await task_queues.paused(tx)
        if is_paused:
            await task_queues.pause(tx, name, await tx.now())
        else:
            await task_queues.resume(tx, name)
        tx.tell(f"queue {name}", {"is_paused": before}, {"is_paused": is_paused})
        runs = [] if is_paused else await task_queues.runs_waiting_in(tx, name)
    await backends.queue.ring(runs)


async def list_dead_letters(backends: Backends, limit: int = MOST_DEAD_LETTERS) -> Sequence[DeadLetter]:
    """Return messages that were put aside because nobody could read them, or because they came too often."""
    return await backends.queue.dead_letters(limit)


async def retry_dead_letters(backends: Backends, which: str) -> Collection[str]:
    """Send the dead letter with this id, or `~` for every one, to the queue it came from; return the ids sent.

    The ledger decides whether it still means anything. Raises NotFound for an unknown id, Conflict where nobody knows
    where it came from, QueueUnavailable where the broker does not take it.
    """
    found = await _meant(backends, which)
    sent = await backends.queue.send_back({one.id for one in found})
    if which != EVERY and which not in sent:
        if any(one.queue is None for one in found):
            raise Conflict(f"nobody knows from which queue the dead letter {which} came; discard it")
        raise QueueUnavailable(f"the broker did not take back the dead letter {which}; try again")
    await _note(backends, sent, is_sent_back=True)
    return sent


async def discard_dead_letters(backends: Backends, which: str) -> Collection[str]:
    """Remove the dead letter with this id, or `~` for every one, and return the ids removed.

    Raises NotFound for an unknown id.
    """
    found = await _meant(backends, which)
    gone = await backends.queue.discard({one.id for one in found})
    await _note(backends, gone, is_sent_back=False)
    return gone


async def _meant(backends: Backends, which: str) -> list[DeadLetter]:
    letters = await list_dead_letters(backends)
    found = [one for one in letters if which in (EVERY, one.id)]
    if not found and which != EVERY:
        raise NotFound(f"The Dead Letter with id: `{which}` was not found")
    return found


async def _note(backends: Backends, ids: Collection[str], *, is_sent_back: bool) -> None:
    # After the act, for a broker takes part in no transaction.
    async with backends.metastore.transaction() as tx:
        for one in sorted(ids):
            tx.tell(f"dead letter {one}", {"is": "put aside"}, {"is": "sent back"} if is_sent_back else None)
