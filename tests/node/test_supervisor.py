"""What systemd is told of a node, on a real datagram socket."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flowd.node.supervisor import Supervisor
from tests.support.node_process import NodeProcess, eventually


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@flowd-{secrets.token_hex(8)}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.settimeout(10)
        listener.bind(name.replace("@", "\0"))
        yield listener, name


async def test_it_says_what_happens_and_gives_signs_of_life_twice_a_period(
    listener: tuple[socket.socket, str],
) -> None:
    heard, name = listener
    supervisor = Supervisor.of({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"}, is_last=True)

    supervisor.ready()
    async with supervisor.watched():
        words = [await asyncio.to_thread(heard.recv, 99) for _ in range(3)]
    supervisor.stopping()

    assert words == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    eventually(lambda: heard.recv(99) == b"STOPPING=1", "the last word")


async def test_nobody_is_told_where_nobody_listens(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000"}):
        supervisor = Supervisor.of(environ, is_last=True)
        supervisor.ready()
        async with supervisor.watched():
            await asyncio.sleep(0)


def test_the_watchdog_of_another_process_is_left_alone() -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1000000"}

    assert Supervisor.of({**environ, "WATCHDOG_PID": str(os.getpid())}, is_last=True).watchdog_seconds == 1
    assert Supervisor.of({**environ, "WATCHDOG_PID": str(os.getppid())}, is_last=True).watchdog_seconds is None


def test_what_it_starts_is_told_only_where_it_is_to_speak_itself() -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1000000", "HOME": "/"}

    Supervisor.of(environ, is_last=False)
    assert len(environ) == 3

    Supervisor.of(environ, is_last=True)
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_node_is_ready_when_it_answers_and_says_that_it_stops(tmp_path: Path, workers: str) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(120)
        environ = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "600000000",
            "FLOWD__API__WORKERS": workers,
        }
        node = NodeProcess(home=tmp_path / "home", roles="api", environ=environ).launch()
        try:
            assert next(word for word in iter(lambda: heard.recv(99), b"") if word != b"WATCHDOG=1") == b"READY=1"
            assert node.get("/livez") == {"status": "alive"}
            assert node.stop() == 0
            assert b"STOPPING=1" in (heard.recv(99) for _ in range(3 * int(workers)))
        finally:
            node.destroy()
