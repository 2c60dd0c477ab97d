"""InProcessWakeups: notes between the roles of one process, for the embedded node."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flowd.queue.coalesced import Coalesced


class InProcessWakeups:
    """Wakes every listener in this process and event loop; satisfies the Wakeups port."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Coalesced[str]]] = {}

    async def notify(self, topic: str, payloads: Sequence[str]) -> None:
        """Put `payloads` before every listener of `topic`."""
        for listener in self._listeners.get(topic, ()):
            listener.add(payloads)

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[AsyncIterator[frozenset[str]]]:
        """Iterate over the payloads that arrive on `topic` from now on, those since the last turn together."""
        listener: Coalesced[str] = Coalesced()
        listeners = self._listeners.setdefault(topic, set())
        listeners.add(listener)
        try:
            yield listener
        finally:
            listeners.discard(listener)
