"""LoopChannel: one socket for the coroutines and threads of a process."""

import asyncio
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from flowd.child.channel import Channel, ChannelClosed, ChannelError
from flowd.child.loop_channel import LoopChannel
from tests.support.task_server import TaskServer


@pytest.fixture
def server() -> TaskServer:
    return TaskServer(variables={"word": "hello"}, refusals={"connection_get": "not here"})


@pytest.fixture
def channel(server: TaskServer) -> Iterator[Channel]:
    with server.channel() as channel:
        yield channel


@contextmanager
def closed_after(descriptor: int, seconds: float) -> Iterator[threading.Event]:
    """End the socket after `seconds`, and say so: a loop that hangs in a read of it hears of nothing else."""
    was_closed = threading.Event()

    def close() -> None:
        was_closed.set()
        with socket.socket(fileno=os.dup(descriptor)) as same:
            same.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, close)
    timer.start()
    try:
        yield was_closed
    finally:
        timer.cancel()


async def test_many_ask_at_once_also_from_threads_and_each_gets_its_own_answer(channel: Channel) -> None:
    shared = LoopChannel(channel.descriptor)

    answers = await asyncio.gather(
        *(shared.ask("variable_get", key=key) for key in ("word", "none") * 20),
        *(asyncio.to_thread(shared.request, "variable_get", key="word") for _ in range(5)),
    )

    assert [one["value"] for one in answers] == ["hello", None] * 20 + ["hello"] * 5


async def test_code_that_blocks_the_loop_gets_its_answer_while_others_wait(channel: Channel) -> None:
    shared = LoopChannel(channel.descriptor)
    asking = asyncio.ensure_future(shared.ask("variable_get", key="none"))
    await asyncio.sleep(0)

    blocking = shared.request("variable_get", key="word")

    assert blocking["value"] == "hello" and (await asking)["value"] is None


async def test_the_loop_goes_on_where_code_that_blocks_it_has_read_what_the_loop_saw(channel: Channel) -> None:
    shared = LoopChannel(channel.descriptor)
    asking = asyncio.ensure_future(shared.ask("variable_get", key="none"))
    await asyncio.sleep(0)
    select.select([channel.descriptor], [], [])
    # The next turn of the loop does this first, and then what it found readable when the turn began.
    asyncio.get_running_loop().call_soon(partial(shared.request, "variable_get", key="word"))
    with closed_after(channel.descriptor, 10) as was_closed:
        assert (await asking)["value"] is None

    assert not was_closed.is_set()


async def test_a_refusal_is_an_error(channel: Channel) -> None:
    shared = LoopChannel(channel.descriptor)

    with pytest.raises(ChannelError, match=r"^connection_get: not here$"):
        await shared.ask("connection_get", conn_id="x")


async def test_a_closed_channel_says_so(server: TaskServer) -> None:
    with server.channel() as channel:
        shared = LoopChannel(channel.descriptor)
        assert (await shared.ask("variable_get", key="word"))["found"]
        asyncio.get_running_loop().remove_reader(channel.descriptor)

    with pytest.raises(ChannelClosed):
        shared.request("variable_get", key="word")
