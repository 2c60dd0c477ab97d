"""VirtualLoop: an event loop whose time passes only when nobody has anything to do, and processes that can be stopped.

No thread, no socket and no real second has a part in it, so that the same seed gives the same story.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar
from enum import Enum, auto
from typing import Any, TypeVar, TypeVarTuple

Answer = TypeVar("Answer")
Ts = TypeVarTuple("Ts")


class Fate(Enum):
    """What the operating system does with a process: let it run, stop it (SIGSTOP), or it is gone (SIGKILL)."""

    RUNNING = auto()
    FROZEN = auto()
    DEAD = auto()


class Process:
    """One simulated process. What its tasks have to do is held back while it is frozen, and for ever once it is dead.

    A dead process runs no `finally`: it has no last word. Its tasks are kept, or the collector would let them speak.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.fate = Fate.RUNNING
        self.context = Context()
        self.context.run(PROCESS.set, self)
        self.tasks: list[asyncio.Task[Any]] = []
        self.held_back: list[asyncio.Handle] = []

    def __repr__(self) -> str:
        return f"<{self.name} {self.fate.name.lower()}>"


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
"""The process whose code runs; None for what belongs to no node, such as a server or a task's own process."""

NOBODY = Context()
"""The context of callbacks that no process owns."""


def _may_run(handle: asyncio.Handle) -> bool:
    process: Process | None = handle._context.get(PROCESS)  # type: ignore[attr-defined]
    if process is None or process.fate is Fate.RUNNING:
        return True
    process.held_back.append(handle)
    return False


class _Handle(asyncio.Handle):
    def _run(self) -> None:
        if _may_run(self):
            super()._run()


class _TimerHandle(asyncio.TimerHandle):
    def _run(self) -> None:
        if _may_run(self):
            super()._run()


class _NoSelector:
    """Stands where the loop would wait for sockets: it waits for nothing, and lets the time pass instead."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise RuntimeError("the simulation stands still: nobody waits for anything")
        self._loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs processes. `steps` counts the callbacks that have run."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.steps = 0
        self._selector = _NoSelector(self)

    def time(self) -> float:
        return self.now

    def run_for(self, seconds: float) -> None:
        """Let this much time pass."""
        self.call_later(seconds, self.stop, context=NOBODY)
        self.run_forever()

    def spawn(self, process: Process, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` as part of the process."""
        task = self.create_task(work, name=process.name, context=process.context)
        process.tasks.append(task)
        return task

    def thaw(self, process: Process) -> None:
        """Let the process go on where it was stopped."""
        process.fate = Fate.RUNNING
        held_back, process.held_back = process.held_back, []
        self._ready.extend(held_back)

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.steps += 1
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.steps += 1
        timer = _TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], Answer], *args: *Ts
    ) -> asyncio.Future[Answer]:
        """Call `func` here and now: a thread would bring in an order that no seed decides."""
        future: asyncio.Future[Answer] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _process_events(self, events: object) -> None: ...

    def _write_to_self(self) -> None: ...
