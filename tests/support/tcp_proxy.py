"""TcpProxy: a wire between a client and a server that a test can cut, silence, refuse and mend."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024


class TcpProxy:
    """Listens on a port of its own on loopback and passes bytes to `host`:`port` and back.

    - `sever()` resets every open connection, at once and without a farewell, and lets new ones through.
    - `refuse()` also stops listening: connecting fails at once, as where no server runs.
    - `blackhole()` keeps connections open, and accepts new ones, but passes no byte: a half-open socket.
    - `heal()` ends `refuse` and `blackhole`; bytes held back are then passed on, as TCP would have done.

    `sever_after(count)` resets a connection in the middle, when that many more bytes came from clients; `say(data)`
    puts words into the server's mouth.
    """

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._handlers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._left: int | None = None
        self.port = 0
        self.accepted = 0
        """How many connections have been accepted so far."""

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        self._flowing.set()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._writers)

    async def wait_until(self, is_so: Callable[[Self], bool]) -> None:
        """Wait until `is_so` holds of this proxy; looked at whenever a connection comes or goes."""
        async with self._changed:
            await self._changed.wait_for(lambda: is_so(self))

    async def sever(self) -> None:
        """Reset every open connection."""
        for client, server in list(self._writers.items()):
            client.transport.abort()
            server.transport.abort()
        # A silenced handler is freed to find its sockets dead; what it held back goes nowhere.
        was_flowing = self._flowing.is_set()
        self._flowing.set()
        await self.wait_until(lambda proxy: proxy.open_connections == 0)
        if not was_flowing:
            self._flowing.clear()

    def sever_after(self, count: int) -> None:
        """Reset the connection on which, counted over all, the client's byte number `count` from now comes."""
        self._left = count

    def say(self, data: bytes) -> None:
        """Send `data` to every client as if the server had."""
        for client in self._writers:
            client.write(data)

    async def refuse(self) -> None:
        """Reset every open connection and stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        await self.sever()

    def blackhole(self) -> None:
        """Pass no more bytes in either direction."""
        self._flowing.clear()

    async def heal(self) -> None:
        """Listen and pass bytes again."""
        self._flowing.set()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.accepted += 1
        try:
            await self._connect_through(reader, writer)
        finally:
            self._handlers.discard(task)

    async def _connect_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            return
        self._writers[writer] = server_writer
        await self._announce()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, server_writer, counted=True))
                group.create_task(self._pass_on(server_reader, writer, counted=False))
        finally:
            writer.transport.abort()
            server_writer.transport.abort()
            del self._writers[writer]
            await self._announce()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await self._flowing.wait()
                if counted and self._left is not None:
                    chunk, self._left = chunk[: self._left], self._left - len(chunk)
                    if self._left <= 0:
                        self._left = None
                        writer.write(chunk)
                        await writer.drain()
                        break
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            # One direction over means both: no protocol that we carry uses half-closed connections.
            writer.close()

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()
