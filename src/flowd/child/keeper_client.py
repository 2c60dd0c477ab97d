"""Keeper: the asyncio side of the keeper process, for whoever wants process trees started and watched."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from itertools import count
from types import TracebackType
from typing import Self

import structlog

from flowd.child.frames import Decoder, Frame, encode
from flowd.child.keeper.warm_limits import WarmLimits
from flowd.child.keeper.wire import ended_from_json, launch_to_json
from flowd.child.keeper_process import KeeperProcess
from flowd.child.launch import Launch
from flowd.child.running_tree import KeeperDied, RunningTree

__all__ = ["Keeper", "KeeperDied", "OnRequest", "RunningTree"]

log = structlog.get_logger(__name__)

OnRequest = Callable[[int, Frame], Awaitable[Frame]]

START_SECONDS = 30.0

CLOSE_SECONDS = 5.0
"""The keeper ends within 2 seconds of its node; one that does not in this time is killed."""


class Keeper:
    """A keeper process of one's own for the length of an `async with`, at whose end every tree is killed."""

    def __init__(self, *, env: Mapping[str, str], on_request: OnRequest, warm: WarmLimits) -> None:
        self._env = env
        self._on_request = on_request
        self._warm = warm
        self._numbers = count(1)
        self._trees: dict[int, RunningTree] = {}
        self._answerers: dict[int, OnRequest] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()

    @classmethod
    def open(cls, *, env: Mapping[str, str], on_request: OnRequest, warm: WarmLimits | None = None) -> Self:
        """Return a keeper to be entered by `async with`, which starts its process and waits until it is ready.

        `env` is the keeper's own environment and must hold nothing that a task may not see. `on_request` is called with
        each request of a task, concurrently, and returns the fields of the reply; what it raises is the reply's error.
        Entering raises KeeperDied where the process ends or says nothing for START_SECONDS.
        """
        return cls(env=env, on_request=on_request, warm=warm or WarmLimits())

    @property
    def pid(self) -> int:
        """The keeper process."""
        return self._process.pid

    @property
    def closed(self) -> Awaitable[None]:
        """To be awaited (each one anew): done when the keeper is gone, for whatever reason."""
        return asyncio.shield(self._gone)

    async def start(self, launch: Launch, on_request: OnRequest | None = None) -> RunningTree:
        """Start the tree; return when it runs, or when it is known that it cannot (its wait() says NOT_STARTED).

        `on_request` answers this tree's requests instead of the keeper's; the first may come before this returns.
        Raise KeeperDied where there is no keeper, FrameTooLong or TypeError where the launch cannot be sent. A start
        that is cancelled leaves nothing running.
        """
        tree = RunningTree(next(self._numbers), self._send)
        frame = encode({"op": "start", "id": tree.attempt_id, "launch": launch_to_json(launch)})
        if self._gone.done():
            raise self._death()
        self._trees[tree.attempt_id] = tree
        self._answerers[tree.attempt_id] = on_request or self._on_request
        self._transport.write(frame)
        try:
            await tree.begun()
        except asyncio.CancelledError:
            tree.kill("its start was cancelled", immediately=True)
            raise
        return tree

    def fence(self, deadlines_ns: Mapping[int, int | None]) -> None:
        """Move the moments (CLOCK_MONOTONIC) at which trees, by attempt_id, must be dead; None is never."""
        self._send({"op": "fence", "deadlines": {str(number): at for number, at in deadlines_ns.items()}})

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._tasks: asyncio.TaskGroup = await self._stack.enter_async_context(asyncio.TaskGroup())
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            with theirs:
                self._process = KeeperProcess(theirs, self._env, self._warm)
            self._stack.push_async_callback(self._process.end, CLOSE_SECONDS)
            self._transport, _ = await loop.create_unix_connection(lambda: _Link(self), sock=ours)
            self._stack.callback(self._hang_up)
            async with asyncio.timeout(START_SECONDS):
                await asyncio.wait((self._ready, self._gone), return_when=asyncio.FIRST_COMPLETED)
            if self._gone.done():
                raise self._death()
        except TimeoutError as error:
            await self._stack.aclose()
            raise KeeperDied(f"the keeper (pid {self.pid}) said nothing for {START_SECONDS:g} seconds") from error
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not handed on: the task group would wrap the body's exception in a group, and its tasks end here anyway.
        await self._stack.aclose()

    def _hang_up(self) -> None:
        self._transport.abort()
        for task in self._answering:
            task.cancel()

    def _death(self) -> KeeperDied:
        return KeeperDied(f"the keeper (pid {self.pid}) is gone: open another one to start anything")

    def _send(self, frame: Frame) -> None:
        if not self._transport.is_closing():
            self._transport.write(encode(frame))

    def _take(self, frame: Frame) -> None:
        match frame["op"]:
            case "ready":
                self._ready.set_result(None)
            case "started":
                self._trees[frame["id"]].take_start(frame["pid"])
            case "ended":
                self._trees.pop(frame["id"]).take_end(ended_from_json(frame["ended"]))
                del self._answerers[frame["id"]]
            case "request":
                task = self._tasks.create_task(self._answer(frame["id"], frame["frame"], self._answerers[frame["id"]]))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case "warning":
                log.warning("keeper warns", keeper=self.pid, text=frame["text"])
            case other:
                raise ValueError(
                    f"the keeper sent {other!r}, which is none of ready, started, request, ended and warning"
                )

    async def _answer(self, attempt_id: int, request: Frame, answer: OnRequest) -> None:
        number = request.get("n")
        try:
            reply = await answer(attempt_id, request)
            self._send({"op": "reply", "id": attempt_id, "frame": {**reply, "n": number}})
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            self._send({"op": "reply", "id": attempt_id, "frame": {"n": number, "error": text}})

    def _lost(self) -> None:
        self._gone.set_result(None)
        for tree in self._trees.values():
            tree.take_end(self._death())
        self._trees.clear()


class _Link(asyncio.Protocol):
    """The socket to the keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._decoder = Decoder()

    def data_received(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self._keeper._take(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._keeper._lost()
