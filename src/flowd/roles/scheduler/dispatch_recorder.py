"""DispatchRecorder: notes in the ledger which messages the broker has confirmed, many at a time."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from flowd.db.ledger import dispatch
from flowd.db.metastore import Metastore
from flowd.domain.ids import InstanceKey
from flowd.domain.task_instance import TaskInstance
from flowd.roles.loop import Loop

HOLD = timedelta(seconds=0.5)
"""How long a confirmation waits for others. It must be noted well before UNDISPATCHED_PATIENCE is over."""


class DispatchRecorder:
    """Keeps the Redeliverer from ringing again for what the broker has.

    Nobody waits for it: most tries are claimed before their confirmation is noted, and then there is nothing to note.
    What a crash loses is rung once more, which does no harm.
    """

    def __init__(self, metastore: Metastore, interval: timedelta, *, hold: timedelta = HOLD) -> None:
        self.loop = Loop("DispatchRecorder", self.step, interval)
        self._metastore = metastore
        self._hold_seconds = hold.total_seconds()
        self._confirmed: dict[InstanceKey, TaskInstance] = {}
        self._first_at = 0.0

    def note(self, confirmed: Iterable[TaskInstance]) -> None:
        """Take in queued tries whose messages the broker has confirmed."""
        if not self._confirmed:
            self._first_at = asyncio.get_running_loop().time()
            self.loop.bell.ring()
        self._confirmed.update((one.key, one) for one in confirmed)

    async def step(self) -> bool | timedelta:
        """Write down what has waited long enough; the answer is how long the first of the rest has still to wait."""
        if not self._confirmed:
            return False
        left = self._first_at + self._hold_seconds - asyncio.get_running_loop().time()
        if left > 0:
            return timedelta(seconds=left)
        confirmed = dict(self._confirmed)
        async with self._metastore.glance() as tx:
            waiting = await dispatch.still_queued(tx, list(confirmed.values()))
        if waiting:
            async with self._metastore.transaction(is_brief=True) as tx:
                await dispatch.mark_dispatched(tx, waiting)
        # Only now: a step that fails is done again. A newer try of the same instance has come meanwhile and stays.
        self._confirmed = {key: one for key, one in self._confirmed.items() if confirmed.get(key) is not one}
        self._first_at = asyncio.get_running_loop().time()
        return timedelta(seconds=self._hold_seconds) if self._confirmed else False
