"""Deaths: of the node, of the keeper, and orderly ends."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from flowd.child.frames import Decoder, encode
from flowd.child.keeper.warm_limits import WarmLimits
from flowd.child.keeper.wire import launch_to_json
from flowd.child.keeper_client import Keeper, KeeperDied
from flowd.child.keeper_process import KeeperProcess
from flowd.child.launch import EndedBy
from tests.child.keeper.launching import (
    KEEPER_ENV,
    REPOSITORY,
    Bench,
    eventually,
    is_alive,
    no_answer,
    run,
    written_pid,
)
from tests.support.pace import at_pace

NODE = """
import asyncio, sys, time
from pathlib import Path
from flowd.child.keeper_client import Keeper
from tests.child.keeper.launching import Bench, KEEPER_ENV, no_answer

async def main(folder, fence_seconds):
    bench = Bench(Path(folder))
    fence = time.monotonic_ns() + int(fence_seconds * 1e9)
    away = f"setsid bash -c 'trap \\"\\" TERM; echo $$ > {folder}/away; while true; do sleep 0.1; done' & "
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
        first = await keeper.start(bench.script(f"trap '' TERM; {away} sleep 100", fence_at_ns=fence))
        second = await keeper.start(bench.call("sleep", fence_at_ns=fence))
        (Path(folder) / "pids").write_text(f"{keeper.pid} {first.pid} {second.pid}\\n")
        await asyncio.sleep(100)

asyncio.run(main(sys.argv[1], float(sys.argv[2])))
"""


class Node:
    """A node in a process of its own, with a keeper and two trees."""

    def __init__(self, folder: Path, fence_seconds: float) -> None:
        self._folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", NODE, str(folder), str(fence_seconds)],
            env={**KEEPER_ENV, "HOME": "/"},
            cwd=REPOSITORY,
        )

    async def pids(self) -> list[int]:
        """The keeper, the two main processes, and what forked away."""
        await eventually(lambda: (self._folder / "pids").exists())
        away = await written_pid(self._folder / "away")
        return [*map(int, (self._folder / "pids").read_text().split()), away]

    def close(self) -> None:
        """Kill and reap the node."""
        self.process.kill()
        self.process.wait()


async def test_a_node_killed_by_sigkill_takes_every_tree_along_within_2_seconds(tmp_path: Path) -> None:
    with closing(Node(tmp_path, 1000)) as node:
        pids = await node.pids()
        assert all(map(is_alive, pids))

    await eventually(lambda: not any(map(is_alive, pids)), at_pace(2))


async def test_a_fence_holds_while_the_node_is_stopped(tmp_path: Path) -> None:
    fence_seconds = at_pace(3)
    with closing(Node(tmp_path, fence_seconds)) as node:
        keeper, *tree = await node.pids()
        deadline = time.monotonic() + fence_seconds

        node.process.send_signal(signal.SIGSTOP)

        await eventually(lambda: not any(map(is_alive, tree)), deadline - time.monotonic())
        assert is_alive(keeper)
    await eventually(lambda: not is_alive(keeper), at_pace(2))


async def test_a_killed_keeper_is_told_to_everyone_who_waits(bench: Bench) -> None:
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
        launches = [bench.script("sleep 5"), bench.call("sleep"), bench.call("sleep", fresh=True)]
        trees = [await keeper.start(launch) for launch in launches]
        waiting = [asyncio.ensure_future(tree.wait()) for tree in trees]

        os.kill(keeper.pid, signal.SIGKILL)
        await keeper.closed

        for wait in waiting:
            with pytest.raises(KeeperDied, match="is gone: open another one"):
                await wait
        with pytest.raises(KeeperDied):
            await keeper.start(bench.script("true"))
        script, forked, fresh = (tree.pid for tree in trees)
        assert script and forked and fresh
        await eventually(lambda: not is_alive(forked) and not is_alive(fresh))
        trees[0].kill("the keeper is no more")
        os.killpg(script, signal.SIGKILL)


async def test_the_folders_of_a_killed_keeper_are_removed_by_a_later_one(bench: Bench) -> None:
    (bench.folder / "tmp").mkdir()
    env = {**KEEPER_ENV, "TMPDIR": str(bench.folder / "tmp")}
    async with Keeper.open(env=env, on_request=no_answer) as killed:
        await run(killed, bench.script("true"))
        (left,) = (bench.folder / "tmp").iterdir()
        os.kill(killed.pid, signal.SIGKILL)
        await killed.closed
    os.utime(left, (0, 0))

    async with Keeper.open(env=env, on_request=no_answer) as living:
        await eventually(lambda: not left.exists())
        (own,) = (bench.folder / "tmp").iterdir()
        os.utime(own, (0, 0))
        async with Keeper.open(env=env, on_request=no_answer):
            await run(living, bench.script("true"))
            assert own.exists()

    await eventually(lambda: not any((bench.folder / "tmp").iterdir()))


async def test_a_keeper_that_cannot_start_says_so() -> None:
    with pytest.raises(KeeperDied, match="is gone"):
        async with Keeper.open(env={"PYTHONHOME": "/nowhere"}, on_request=no_answer):
            raise AssertionError("it started")


async def test_the_end_of_the_context_kills_everything_and_hands_the_error_on_as_it_is(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
            tree = await keeper.start(bench.script("trap '' TERM; while true; do sleep 0.05; done"))
            raise ZeroDivisionError

    assert tree.pid is not None and not is_alive(tree.pid)
    with pytest.raises(KeeperDied):
        await tree.wait()


async def test_a_stopped_keeper_is_killed_in_the_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowd.child.keeper_client.CLOSE_SECONDS", 0.3)
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
        os.kill(keeper.pid, signal.SIGSTOP)

    assert not is_alive(keeper.pid)


async def test_signals_to_the_whole_group_are_not_for_the_keeper(keeper: Keeper, bench: Bench) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(keeper.pid, number)

    assert os.getsid(keeper.pid) == keeper.pid
    assert (await run(keeper, bench.script("exit 3"))).exit_code == 3


async def test_a_cancelled_start_leaves_nothing_running(keeper: Keeper, bench: Bench) -> None:
    pid_file = bench.folder / "pid"
    start = asyncio.ensure_future(keeper.start(bench.script(f"echo $$ > {pid_file}; sleep 100")))
    await asyncio.sleep(0)

    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await run(keeper, bench.script("true"))

    await eventually(lambda: not any(b"sleep\x00100" in _command(pid) for pid in _children(keeper.pid)))


async def test_a_cancelled_wait_harms_no_other_wait(keeper: Keeper, bench: Bench) -> None:
    tree = await keeper.start(bench.script("sleep 0.2; exit 8"))
    impatient = asyncio.ensure_future(tree.wait())
    await asyncio.sleep(0)

    impatient.cancel()

    assert (await tree.wait()).exit_code == 8
    assert (await tree.wait()).exit_code == 8


async def test_every_start_has_one_end_under_load(keeper: Keeper, bench: Bench) -> None:
    launches = [bench.script(f"exit {number}", cwd="/nowhere" if number % 5 == 0 else None) for number in range(60)]

    ends = await asyncio.gather(*(run(keeper, launch) for launch in launches))

    assert [ended.exit_code for ended in ends] == [None if number % 5 == 0 else number for number in range(60)]
    assert not _children(keeper.pid)


async def test_a_node_that_does_not_read_is_no_reason_to_stop_supervising(bench: Bench) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = KeeperProcess(theirs, KEEPER_ENV, WarmLimits())
        flood = launch_to_json(bench.call("flood"))
        pid_file = bench.folder / "pid"
        limited = launch_to_json(bench.script(f"echo $$ > {pid_file}; sleep 100", timeout_seconds=0.5))
        ours.sendall(encode({"op": "start", "id": 1, "launch": flood}))
        ours.sendall(encode({"op": "start", "id": 2, "launch": limited}))

        pid = await written_pid(pid_file)
        await eventually(lambda: not is_alive(pid), 3)
        assert _resident_bytes(process.pid) < 60_000_000

        ops = _read_until_ended(ours, 2)
        assert ops.count("ended") == 1 and ops.count("request") > 10
    await process.end(5)


def _read_until_ended(sock: socket.socket, attempt_id: int) -> list[str]:
    decoder = Decoder()
    ops: list[str] = []
    while True:
        for frame in decoder.feed(sock.recv(100_000)):
            ops.append(frame["op"])
            if frame["op"] == "ended" and frame["id"] == attempt_id:
                assert frame["ended"]["by"] == EndedBy.TIMEOUT
                return ops


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
