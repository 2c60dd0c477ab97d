"""LoopChannel: one socket for the coroutines and threads of a process."""

import asyncio
from collections.abc import Iterator

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
