"""WaitEnder: lets instances go on whose waiting time is over: retries, reschedules, deferrals, restarts."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from flowd.db.ledger import restart, waiting, write
from flowd.db.metastore import Metastore
from flowd.domain.ids import RunKey
from flowd.domain.task_events import Scheduled
from flowd.roles.loop import Bell, Loop

_MOST = 500


class WaitEnder:
    """Sleeps until the next moment anyone waits for, at most for its interval.

    `scheduled` is rung when instances were scheduled, `news` told of runs whose restarting instances may go on.
    """

    def __init__(
        self,
        metastore: Metastore,
        interval: timedelta,
        *,
        scheduled: Bell,
        news: Callable[[Iterable[RunKey]], None],
    ) -> None:
        self.loop = Loop("WaitEnder", self.step, interval)
        self._metastore = metastore
        self._scheduled = scheduled
        self._news = news

    async def step(self) -> bool | timedelta:
        """End the waits that are over; answer how long none will be, True where that is not yet known."""
        async with self._metastore.glance() as tx:
            moment, now = await waiting.next_moment(tx), await tx.now()
            restarting = await restart.restarting_over(tx, limit=_MOST)
        if restarting:
            async with self._metastore.transaction(is_brief=True) as tx:
                runs = await restart.release(tx, restarting)
            self._news(runs)
            if runs:
                return True
        if moment is None:
            return False
        if moment > now:
            return moment - now
        return await self._end_waits(now)

    async def _end_waits(self, now: datetime) -> bool:
        async with self._metastore.transaction(is_brief=True) as tx:
            due = await waiting.due(tx, limit=_MOST)
            await write.apply(tx, [(instance, Scheduled()) for instance in due], now)
        self._scheduled.ring()
        return bool(due)
