"""Reactor: the keeper's one loop, over file descriptors and timers."""

import heapq
import selectors
import time
from collections.abc import Callable
from itertools import count

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

_SECOND = 1_000_000_000


class Reactor:
    """Calls back when a descriptor is ready or a moment (CLOCK_MONOTONIC, nanoseconds) has come."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()

    def watch(self, fd: int, callback: Callable[[int], None], events: int = READ) -> None:
        """Call back with the events (READ, WRITE), each turn, while `fd` is ready for any of `events`."""
        self._selector.register(fd, events, callback)
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Call back for `fd` no more, not even for what is known in this turn. Call it before closing `fd`."""
        if self._callbacks.pop(fd, None) is not None:
            self._selector.unregister(fd)

    def call_at(self, moment_ns: int, callback: Callable[[], None]) -> None:
        """Call back once at the moment. There is no taking back: a callback checks whether it is still wanted."""
        heapq.heappush(self._timers, (moment_ns, next(self._numbers), callback))

    def call_after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once after so many seconds."""
        self.call_at(time.monotonic_ns() + int(seconds * _SECOND), callback)

    def turn(self) -> None:
        """Wait for the next events or timer, and call back for those that are there now."""
        for key, events in self._selector.select(self._patience_seconds()):
            # An earlier callback of this turn may have closed this descriptor, and the number may be in use anew.
            callback = self._callbacks.get(key.fd)
            if callback is not None and callback is key.data:
                callback(events)
        now = time.monotonic_ns()
        while self._timers and self._timers[0][0] <= now:
            _, _, on_time = heapq.heappop(self._timers)
            on_time()

    def _patience_seconds(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, (self._timers[0][0] - time.monotonic_ns()) / _SECOND)
