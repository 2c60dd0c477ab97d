"""Channel: requests and replies over a real socket, from threads, through refusals, forks and lost ends."""

import os
import socket
import threading

import pytest

from flowd.child.channel import Channel, ChannelClosed, ChannelError
from flowd.child.frames import Decoder, encode
from tests.support.task_server import TaskServer


def test_a_request_is_answered() -> None:
    server = TaskServer(variables={"a": "1"})

    with server.channel() as channel:
        answer = channel.request("variable_get", key="a")

    assert (answer["found"], answer["value"]) == (True, "1")


def test_threads_get_their_own_answers() -> None:
    server = TaskServer(variables={str(n): str(n * n) for n in range(20)})
    answers: dict[int, str] = {}

    def ask(channel: Channel, number: int) -> None:
        answers[number] = channel.request("variable_get", key=str(number))["value"]

    with server.channel() as channel:
        threads = [threading.Thread(target=ask, args=(channel, number)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == {number: str(number * number) for number in range(20)}


def test_a_refusal_carries_its_reason() -> None:
    with TaskServer(refusals={"xcom_push": "this try is fenced"}).channel() as channel:
        with pytest.raises(ChannelError, match=r"^xcom_push: this try is fenced$"):
            channel.request("xcom_push", key="k", value=1)


def test_a_result_is_sent_without_an_answer() -> None:
    server = TaskServer()

    with server.channel() as channel:
        channel.send_result({"outcome": "success"})

    assert server.result == {"outcome": "success"}


def test_a_late_reply_to_an_interrupted_request_is_passed_over() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(encode({"n": 0, "value": "stale"}) + encode({"n": 1, "value": "asked for"}))

    with ours, theirs:
        assert Channel(ours.fileno()).request("variable_get", key="k")["value"] == "asked for"


def test_a_keeper_that_is_gone_is_said_to_be() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(ours.fileno())
    theirs.close()

    with ours, pytest.raises(ChannelClosed, match="the keeper cannot be reached"):
        channel.request("context")


def test_a_keeper_that_closes_before_it_answers_is_said_to_have() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(ours.fileno())
    theirs.shutdown(socket.SHUT_WR)

    with ours, theirs, pytest.raises(ChannelClosed, match="the keeper closed the channel"):
        channel.request("context")


def test_what_is_not_json_is_refused_and_leaves_the_channel_whole() -> None:
    server = TaskServer()

    with server.channel() as channel:
        with pytest.raises(TypeError):
            channel.request("xcom_push", key="k", value=object())
        assert channel.request("variable_get", key="k")["found"] is False


def test_nothing_follows_half_a_frame() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    channel = Channel(ours.fileno())
    with ours, theirs:
        with pytest.raises(ChannelClosed):
            channel.send_result({"value": "x" * 10_000_000})
        with pytest.raises(ChannelClosed, match="broke in the middle of a frame"):
            channel.send_result({"value": 1})


def test_a_process_forked_by_the_task_is_told_not_to_use_it() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(ours.fileno())
    read, write = os.pipe()

    child = os.fork()
    if child == 0:
        try:
            channel.send_result({})
        except ChannelClosed as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    ours.close()

    with theirs:
        assert b"forked by the task" in os.read(read, 1000)
        assert Decoder().feed(theirs.recv(100)) == []
    os.close(read)
    os.close(write)
