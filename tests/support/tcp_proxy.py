"""TcpProxy: a wire between a client and a server that a test can cut, silence, refuse, spoil and mend."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.cluster.free_port import free_port
from tests.support.tcp_lane import Lane

CHUNK_BYTES = 64 * 1024
_TURNS_OF_AN_ACCEPT = 5


@dataclass(slots=True, eq=False)
class _Connection:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_answer_lost: bool = False

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class TcpProxy:
    """Listens on a port of its own on loopback and passes bytes to `host`:`port` and back.

    - `sever()` resets every open connection, at once and without a farewell, and lets new ones through.
    - `refuse()` also stops listening: connecting fails at once, as where no server runs.
    - `blackhole()` keeps connections open, and accepts new ones, but passes no byte: a half-open socket.
    - `orphan()` resets the clients' side alone: the server goes on believing in clients that are gone.
    - `lose_answer_to(words)` resets, once, the connection on which `words` went to the server when its answer comes.
    - `heal()` ends all of these; bytes held back are then passed on, as TCP would have done.

    `to_server` and `to_client` are its two directions, to be held, delayed, spoiled or cut at a byte one at a time.
    `say(data)` puts words into the server's mouth. `sever_after(count, for_good=True)` also lets no other connection
    through until `heal`.
    """

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._server: asyncio.Server | None = None
        self.to_server = Lane()
        self.to_client = Lane()
        self._connections: set[_Connection] = set()
        self._orphans: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._words: bytes | None = None
        self._severed = 0
        self._is_for_good = False
        self.port = free_port()
        self.accepted = 0
        """How many connections have been accepted so far."""
        self.lost_answers = 0
        """How many answers `lose_answer_to` has kept from their clients."""

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        self._bury_orphans()
        self.to_server.heal()
        self.to_client.heal()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    async def wait_until(self, is_so: Callable[[Self], bool]) -> None:
        """Wait until `is_so` holds of this proxy; looked at whenever a connection comes or goes."""
        async with self._changed:
            await self._changed.wait_for(lambda: is_so(self))

    async def sever(self) -> None:
        """Reset every open connection."""
        self._severed += 1
        cut = set(self._connections)
        for connection in cut:
            connection.abort()
        # A silenced handler is freed to find its sockets dead; what it held back goes nowhere.
        silenced = [lane for lane in (self.to_server, self.to_client) if not lane.is_flowing]
        for lane in silenced:
            lane.release()
        # Not for the others: a client may be here again at once.
        await self.wait_until(lambda proxy: cut.isdisjoint(proxy._connections))
        for lane in silenced:
            lane.hold()

    async def orphan(self) -> None:
        """Reset the clients' side of every open connection; the server's side stays open until `heal`."""
        for connection in list(self._connections):
            self._orphans.add(connection.server)
            connection.client.transport.abort()
            self._connections.discard(connection)
        await self._announce()

    def sever_after(self, count: int, *, for_good: bool = False) -> None:
        """Reset the connection on which, counted over all, the client's byte number `count` from now comes."""
        self.to_server.end_after(count)
        self._is_for_good = for_good

    def lose_answer_to(self, words: bytes) -> None:
        """Let `words` through to the server, and reset their connection instead of passing the answer on."""
        self._words = words

    def say(self, data: bytes) -> None:
        """Send `data` to every client as if the server had."""
        for connection in self._connections:
            connection.client.write(data)

    async def refuse(self) -> None:
        """Reset every open connection and stop listening."""
        await self._stop_listening()
        await self.sever()

    def blackhole(self) -> None:
        """Pass no more bytes in either direction."""
        self.to_server.hold()
        self.to_client.hold()

    async def heal(self) -> None:
        """Listen and pass bytes again."""
        self._words = None
        self._bury_orphans()
        self.to_server.heal()
        self.to_client.heal()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is None:
            return
        server, self._server = self._server, None
        for listener in server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        # asyncio leaves a connection open for ever that it has accepted before a close and sets up after it.
        for _ in range(_TURNS_OF_AN_ACCEPT):
            await asyncio.sleep(0)
        server.close()

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
        severed = self._severed
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            return
        if self._severed != severed:
            # Accepted before the cut, so it belongs to what was cut.
            writer.transport.abort()
            server_writer.transport.abort()
            return
        connection = _Connection(client=writer, server=server_writer)
        self._connections.add(connection)
        await self._announce()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_to_server(reader, connection))
                group.create_task(self._pass_to_client(server_reader, connection))
        finally:
            writer.transport.abort()
            if server_writer not in self._orphans:
                server_writer.transport.abort()
            self._connections.discard(connection)
            await self._announce()

    async def _pass_to_server(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        try:
            is_over = False
            while not is_over and (chunk := await reader.read(CHUNK_BYTES)):
                chunk, is_over = await self.to_server.passed(chunk)
                if is_over and self._is_for_good:
                    await self._stop_listening()
                if self._words is not None and self._words in chunk:
                    self._words, connection.is_answer_lost = None, True
                connection.server.write(chunk)
                await connection.server.drain()
        except OSError:
            pass
        finally:
            # One direction over means both: no protocol that we carry uses half-closed connections.
            if connection.server in self._orphans:
                connection.client.transport.abort()
            else:
                connection.server.close()

    async def _pass_to_client(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        try:
            is_over = False
            while not is_over and (chunk := await reader.read(CHUNK_BYTES)):
                if connection.is_answer_lost:
                    self.lost_answers += 1
                    connection.abort()
                    break
                chunk, is_over = await self.to_client.passed(chunk)
                connection.client.write(chunk)
                await connection.client.drain()
        except OSError:
            pass
        finally:
            connection.client.close()

    def _bury_orphans(self) -> None:
        for writer in self._orphans:
            writer.transport.abort()
        self._orphans.clear()

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()
