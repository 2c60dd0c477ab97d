"""What probes find in the file of a node's status, while it starts, works, stops, and stands still."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flowd.domain.errors import InvalidSettings
from flowd.node.api_workers import ApiWorkers
from flowd.node.status_file import RENEWED_SECONDS, NodeStatus, StatusFile
from flowd.node.supervisor import Supervisor
from flowd.settings.load import load_settings
from tests.support.node_process import NodeProcess, eventually

NEVER = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status"


async def seen(look: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(eventually, look, what, 60)


def said(path: Path) -> str:
    return path.read_text() if path.is_file() else "nothing"


def spoil(path: Path) -> None:
    """Put a folder where the file is to be."""
    path.unlink()
    path.mkdir()


async def test_the_file_says_how_the_node_is_and_goes_with_it(path: Path) -> None:
    status = StatusFile(path, renewed_seconds=NEVER)

    async with status.kept():
        assert said(path) == "starting\n"
        status.say(NodeStatus.READY)
        await seen(lambda: said(path) == "ready\n", "a node that is ready")
        status.say(NodeStatus.STOPPING)
        await seen(lambda: said(path) == "stopping\n", "a node that stops")

    assert os.listdir(path.parent) == []


async def test_what_is_stopping_is_never_ready_again(path: Path) -> None:
    status = StatusFile(path, renewed_seconds=NEVER)

    async with status.kept():
        status.say(NodeStatus.STOPPING)
        status.say(NodeStatus.READY)
        await seen(lambda: said(path) != "starting\n", "the next word")
        assert said(path) == "stopping\n"


async def test_the_file_of_a_node_that_was_killed_says_nothing_of_the_next(path: Path) -> None:
    await asyncio.to_thread(path.write_text, "ready\n")

    async with StatusFile(path).kept():
        assert said(path) == "starting\n"


async def test_it_is_renewed_while_the_event_loop_turns(path: Path) -> None:
    async with StatusFile(path, renewed_seconds=0).kept():
        os.utime(path, (0, 0))
        await seen(lambda: os.stat(path).st_mtime > 0, "the file to be renewed")


async def test_a_file_that_cannot_be_renewed_is_told_of_and_does_not_end_the_node(path: Path) -> None:
    with capture_logs() as logs:
        async with StatusFile(path, renewed_seconds=0).kept():
            spoil(path)
            await seen(lambda: bool(logs), "the node to tell of it")
            os.rmdir(path)
            await seen(lambda: said(path) == "starting\n", "the file to be back")

    assert {one["event"] for one in logs} == {"the status of the node could not be written"}


async def test_a_file_that_cannot_be_written_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "status"

    with pytest.raises(InvalidSettings) as raised:
        async with StatusFile(path).kept():
            pass

    assert str(raised.value) == (
        f"the status of the node cannot be written to {path} (No such file or directory); set"
        " FLOWD__NODE__STATUS_FILE to a file in a folder that exists and is flowd's to write to, or unset it"
    )


async def test_without_a_path_nothing_is_written() -> None:
    async with StatusFile(None).kept():
        pass


def test_several_processes_do_not_share_a_file(path: Path) -> None:
    environ = {
        "FLOWD_HOME": str(path.parent),
        "FLOWD__NODE__ROLES": "api",
        "FLOWD__NODE__STATUS_FILE": str(path),
        "FLOWD__API__WORKERS": "2",
    }

    with pytest.raises(InvalidSettings) as raised:
        ApiWorkers(load_settings(environ), environ, Supervisor())

    assert str(raised.value) == (
        f"node.status_file is {path}, and api.workers is 2: one file cannot speak for several processes; unset"
        " FLOWD__NODE__STATUS_FILE and ask /readyz"
    )


def test_a_worker_is_ready_when_it_takes_work_and_tells_that_it_drains(tmp_path: Path, path: Path) -> None:
    node = NodeProcess(home=tmp_path / "home", roles="worker", environ={"FLOWD__NODE__STATUS_FILE": str(path)}).launch()
    try:
        eventually(lambda: path.exists() and path.read_text() == "ready\n", "a worker that is ready")
        assert time.time() - path.stat().st_mtime < 10 * RENEWED_SECONDS
        assert node.stop() == 0
        assert not path.exists()
    finally:
        node.destroy()
