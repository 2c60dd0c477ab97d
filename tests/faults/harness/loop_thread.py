"""LoopThread: an event loop beside the scenario, so that proxies pass bytes on while the scenario waits."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

Answer = TypeVar("Answer")

CALL_SECONDS = 300.0


class LoopThread:
    """A loop in a thread of its own for the time of the context; `call` runs a coroutine there and waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wires", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, Answer], seconds: float = CALL_SECONDS) -> Answer:
        """Return what the coroutine returns; raise TimeoutError where it takes longer than `seconds`."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def begin(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Start a coroutine there and return at once; cancel what is returned to end it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)
