"""Audience: people who have pages of the dashboard open while runs go on: streams, and pages that renew themselves."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from bench.cluster.waiting import wait_until
from bench.pages.reader import session_cookie

RENEW_SECONDS, PAUSE_TIMES = 1.0, 20
"""A page renews itself at most so often, and pauses for so many times what that took, as `flowd.js` has it."""


@dataclass(slots=True)
class Audience:
    """What it has seen: streams that are open, changes that it was told of, and pages that it has read."""

    open: int = 0
    told: int = 0
    pages: int = 0
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


@contextmanager
def audience(port: int, password: str, *, listeners: int, pages: tuple[tuple[str, str], ...]) -> Iterator[Audience]:
    """Hold so many streams open, and these pages: each with what it listens to. All are gone at the end."""
    seen, loop = Audience(), asyncio.new_event_loop()
    request = f"Host: 127.0.0.1\r\nCookie: {session_cookie(port, password)}\r\n"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def begin() -> None:
        watched = [("*", "")] * listeners + [(of, path) for path, of in pages]
        seen.tasks = [loop.create_task(_watch(seen, port, request, of, path)) for of, path in watched]

    loop.call_soon_threadsafe(begin)
    try:
        wait_until(lambda: seen.open == listeners + len(pages), "the audience's streams to be open")
        yield seen
    finally:
        asyncio.run_coroutine_threadsafe(_end(seen.tasks), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _watch(seen: Audience, port: int, request: str, of: str, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET /ui/events?of={of} HTTP/1.1\r\n{request}\r\n".encode())
        due = 0.0
        clock = asyncio.get_running_loop()
        while line := await reader.readline():
            if line.startswith(b"retry:"):
                seen.open += 1
            elif line.startswith(b"event: changed"):
                seen.told += 1
                if path and (began := clock.time()) >= due:
                    await _read(port, request, path)
                    due = clock.time() + max(RENEW_SECONDS, PAUSE_TIMES * (clock.time() - began))
                    seen.pages += 1
    finally:
        writer.close()


async def _read(port: int, request: str, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\n{request}Connection: close\r\n\r\n".encode())
        status = (await reader.readline()).split(b" ")[1]
        if status != b"200":
            raise RuntimeError(f"{path} was answered {status.decode()}; wanted 200")
        await reader.read()
    finally:
        writer.close()


async def _end(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
