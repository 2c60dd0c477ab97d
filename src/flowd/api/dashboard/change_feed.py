"""ChangeFeed: tells the open pages of this node which DAGs have changed, whichever node changed them.

One look for all of them, and none while nobody watches. A page that is told asks again for itself.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from flowd.cancellation import Cancellation
from flowd.clock import Clock
from flowd.db.metastore import Metastore
from flowd.db.views.live_changes import LiveLook, changed_dags, look
from flowd.domain.errors import Unavailable

EVERYTHING = "*"
LOOK_SECONDS = 0.5
"""Between two looks; a look that is slow is taken more seldom, so that at most a tenth of the time goes into them."""

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Watcher:
    """A page that wants to hear of one DAG, or of everything."""

    of: str
    news: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False

    async def heard(self, seconds: float) -> bool:
        """Wait for news; False where there was none for so long, or where there will be none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.news.wait()
        is_heard = self.news.is_set() and not self.is_over
        self.news.clear()
        return is_heard


class ChangeFeed:
    """The watchers of one node, and the loop that looks for them."""

    def __init__(self, metastore: Metastore, clock: Clock) -> None:
        self._metastore = metastore
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._watched = asyncio.Event()
        self._is_closed = False
        self.looks = 0
        """How many looks were taken."""

    @property
    def is_watched(self) -> bool:
        """Whether anybody watches."""
        return self._watched.is_set()

    @contextmanager
    def watch(self, of: str) -> Iterator[Watcher]:
        """Watch one DAG, or EVERYTHING, for the time of the context."""
        watcher = Watcher(of, is_over=self._is_closed)
        self._watchers.add(watcher)
        self._watched.set()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                self._watched.clear()

    async def run(self) -> None:
        """Look for as long as anybody watches, until cancelled."""
        before: LiveLook | None = None
        cancellation = Cancellation()
        while True:
            cancellation.heed()
            if not self.is_watched:
                before = None
                await self._watched.wait()
            began = self._clock.monotonic()
            before = await self._look(before)
            await self._clock.sleep(max(LOOK_SECONDS, 9 * (self._clock.monotonic() - began)))

    def tell(self, changed: set[str]) -> None:
        """Tell those who watch one of these DAGs; all of them where it is not known which have changed."""
        for watcher in self._watchers:
            if watcher.of == EVERYTHING or watcher.of in changed or not changed:
                watcher.news.set()

    def close(self) -> None:
        """Let everybody who watches go, and whoever comes later: the node stops."""
        self._is_closed = True
        for watcher in self._watchers:
            watcher.is_over = True
            watcher.news.set()

    async def _look(self, before: LiveLook | None) -> LiveLook | None:
        self.looks += 1
        try:
            async with self._metastore.glance() as tx:
                after = await look(tx)
        except Unavailable as error:
            log.debug("nothing to be seen of changes", reason=str(error))
            return before
        if before is not None and before != after:
            self.tell(changed_dags(before, after))
        return after
