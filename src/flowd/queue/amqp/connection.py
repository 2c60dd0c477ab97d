"""BrokerConnection: a plain aio-pika connection that can also be cut off; and calls on it that always end."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar

import aio_pika
from aio_pika.abc import AbstractConnection
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from aiormq.exceptions import InvalidFrameError
from yarl import URL

from flowd.domain.errors import Unavailable

ANSWER_SECONDS = 5.0
CLOSE_SECONDS = 1.0

T = TypeVar("T")


class LinkBroken(Unavailable):
    """A call to the broker failed because its channel or connection did; another connection may do better."""


async def answer(call: Awaitable[T], seconds: float = ANSWER_SECONDS) -> T:
    """Await one call to the broker; raise LinkBroken when it fails, or brings no answer within `seconds`."""
    task = asyncio.current_task()
    cancelled_before = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(seconds):
            return await call
    except asyncio.CancelledError:
        # aiormq ends pending calls of a closing channel with CancelledError although nobody cancelled the caller.
        if task is None or task.cancelling():
            raise
        raise LinkBroken("the channel was closed") from None
    except TimeoutError as exc:
        raise LinkBroken(f"no answer within {seconds:g} s") from exc
    except Exception as exc:
        # aiormq also does the opposite: cancelled as the broker closes the connection, it tells of the close alone.
        # To lose the cancellation would keep a node that is stopping from ever coming to its end.
        if task is not None and task.cancelling() > cancelled_before:
            raise asyncio.CancelledError from exc
        # Broad on purpose: aiormq ends them with whatever closed the channel, down to a plain Exception.
        raise LinkBroken(reason_of(exc)) from exc


def reason_of(exc: BaseException) -> str:
    """Say in one line why the broker could not be reached; aiormq's errors never hold the URL's password."""
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__


class VhostRefused(Unavailable):
    """The broker knows us, but not the vhost, or not as one that we may enter."""


class BrokerConnection(aio_pika.Connection):
    """One connection to one host. `cut` ends it at once, where `close` would wait for a peer that fell silent."""

    def __init__(self, url: str, *, name: str) -> None:
        super().__init__(URL(url).update_query(name=name))
        self.attempt = url
        """The URL as it was given. It holds the password."""
        self._wire = _Wire(tls=self.url.scheme == "amqps")
        self.kwargs["transport_factory"] = self._wire
        # aio-pika's own closed() tells only of a close() by us, not of a lost connection.
        self._gone = asyncio.Event()
        self.close_callbacks.add(self._on_gone)

    async def connect(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 (aio-pika's signature)
        """Connect; raise VhostRefused where aiormq only says that the broker answered with a Close."""
        try:
            await super().connect(timeout)
        except InvalidFrameError as exc:
            if "Connection.OpenOk" not in str(exc):
                raise
            raise VhostRefused(f"vhost {self.url.path!r} does not exist, or this user may not enter it") from exc

    @property
    def host(self) -> str:
        """The host and its port, fit to be shown."""
        return f"{self.url.host}:{self.url.port}"

    @property
    def is_alive(self) -> bool:
        """True from a successful connect until the connection is closed or found to be lost."""
        return self.transport is not None and not self._gone.is_set()

    async def lost(self) -> None:
        """Wait until the connection is no more, whoever ended it."""
        await self._gone.wait()

    def cut(self) -> None:
        """Drop the socket without a farewell; everything that waits on this connection fails now."""
        self._wire.abort()

    async def shut(self) -> None:
        """Close politely for one second, then cut, and see aiormq's own tasks end. Never raises."""
        was_connected = self.transport is not None
        try:
            with suppress(LinkBroken):
                await answer(self.close(), CLOSE_SECONDS)
        finally:
            self.cut()
        if was_connected:
            with suppress(LinkBroken):
                await answer(self.lost(), CLOSE_SECONDS)

    async def unblocked(self) -> None:
        """Wait while the broker asks us not to publish; raise LinkBroken on a closed connection."""
        if self.transport is None:
            raise LinkBroken("the connection was closed")
        await self.transport.ready()

    async def is_blocked(self) -> bool:
        """True while the broker has asked us not to publish (its memory or disk alarm)."""
        try:
            # With a deadline of now this tells whether waiting would be needed, and does not wait.
            async with asyncio.timeout(0):
                await self.unblocked()
        except TimeoutError:
            return True
        except LinkBroken:
            pass
        return False

    def _on_gone(self, connection: AbstractConnection | None, exc: BaseException | None) -> None:
        self._gone.set()


class _Wire(TransportFactory):
    """Makes the socket as aiormq would, and keeps hold of it."""

    def __init__(self, *, tls: bool) -> None:
        self._factory: TransportFactory = TLSTransportFactory() if tls else TCPTransportFactory()
        self._writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self._writer = await self._factory.create(url, **options)
        return reader, self._writer

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
