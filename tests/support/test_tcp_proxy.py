"""The proxy breaks what it says it breaks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """A proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1024):
                writer.write(chunk)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, TcpProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


class Client:
    """A connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, text: bytes) -> bytes:
        self.writer.write(text)
        return await self.reader.readexactly(len(text))


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def connect(proxy: TcpProxy) -> AsyncIterator[Connect]:
    """Call it for one more client, closed afterwards."""
    clients: list[Client] = []

    async def open_client() -> Client:
        clients.append(Client(*await asyncio.open_connection("127.0.0.1", proxy.port)))
        return clients[-1]

    yield open_client
    for client in clients:
        client.writer.transport.abort()


async def test_bytes_pass_both_ways(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()

    assert await client.ask(b"hello") == b"hello"
    assert proxy.open_connections == proxy.accepted == 1

    client.writer.close()
    await proxy.wait_until(lambda proxy: proxy.open_connections == 0)


async def test_a_severed_connection_is_reset_and_a_new_one_works(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"hello")

    await proxy.sever()

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.ask(b"hello")
    assert await (await connect()).ask(b"again") == b"again"


async def test_refusing_stops_the_listening_until_healed(proxy: TcpProxy, connect: Connect) -> None:
    await (await connect()).ask(b"hello")

    await proxy.refuse()

    with pytest.raises(ConnectionRefusedError):
        await connect()
    await proxy.heal()
    assert await (await connect()).ask(b"again") == b"again"


async def test_a_black_hole_holds_bytes_back_until_healed(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"hello")
    proxy.blackhole()

    asking = asyncio.ensure_future(client.ask(b"late"))
    done, _ = await asyncio.wait([asking], timeout=0.05)
    assert not done

    await proxy.heal()
    assert await asking == b"late"


async def test_a_connection_in_a_black_hole_can_be_severed(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"hello")
    proxy.blackhole()
    client.writer.write(b"swallowed")

    await proxy.sever()

    assert proxy.open_connections == 0


async def test_a_connection_can_be_cut_at_a_byte(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"hello")

    proxy.sever_after(3)
    client.writer.write(b"abcdef")

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.reader.readexactly(6)
    assert await (await connect()).ask(b"again") == b"again"


async def test_words_can_be_put_into_the_servers_mouth(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"hello")

    proxy.say(b"forged")

    assert await client.reader.readexactly(6) == b"forged"


async def test_one_direction_alone_can_be_silenced(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"hello")
    proxy.to_client.hold()

    asking = asyncio.ensure_future(client.ask(b"heard"))
    done, _ = await asyncio.wait([asking], timeout=0.05)
    assert not done

    await proxy.heal()
    assert await asking == b"heard"


async def test_an_orphaned_connection_is_over_for_the_client_and_not_for_the_server() -> None:
    ended = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server, TcpProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await proxy.wait_until(lambda proxy: proxy.open_connections == 1)

        await proxy.orphan()

        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        assert proxy.open_connections == 0
        assert not ended.is_set()
        await proxy.heal()
        await ended.wait()
        writer.transport.abort()


async def test_the_answer_to_some_words_can_be_lost_once(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"hello")
    proxy.lose_answer_to(b"COMMIT")

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.ask(b"-COMMIT-")

    assert proxy.lost_answers == 1
    assert await (await connect()).ask(b"COMMIT") == b"COMMIT"


async def test_one_bit_can_be_flipped(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"hello")

    proxy.to_server.flip_after(3)

    assert await client.ask(b"aaaaaa") == b"aaqaaa"
    assert await client.ask(b"aaaaaa") == b"aaaaaa"


async def test_a_late_lane_passes_everything_on(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    proxy.to_client.delay_seconds = 0.01

    assert await client.ask(b"slow") == b"slow"


async def test_a_connection_that_was_being_made_is_cut_with_the_others(proxy: TcpProxy) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    while not proxy.accepted:  # noqa: ASYNC110 (it tells of what is open, and this one is not yet)
        await asyncio.sleep(0)

    await proxy.refuse()

    assert proxy.open_connections == 0
    await asyncio.sleep(0.05)
    assert proxy.open_connections == 0
    writer.transport.abort()


async def test_a_connection_severed_for_good_stays_the_last_until_healed(proxy: TcpProxy, connect: Connect) -> None:
    client = await connect()
    await client.ask(b"a connection that both sides know")
    proxy.sever_after(2, for_good=True)
    client.writer.write(b"abc")
    await proxy.wait_until(lambda proxy: proxy.open_connections == 0)

    with pytest.raises(OSError):
        await connect()

    await proxy.heal()
    assert await (await connect()).ask(b"x") == b"x"
