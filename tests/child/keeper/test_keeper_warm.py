"""Warm forks: tasks forked from a server that has imported their bundle file already."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from flowd.child.frames import Frame
from flowd.child.keeper.fork_server import SPARES
from flowd.child.keeper.linux import children_of
from flowd.child.keeper.warm_limits import WarmLimits
from flowd.child.keeper_client import Keeper, KeeperDied, RunningTree
from flowd.child.launch import Ended
from tests.child.keeper.launching import KEEPER_ENV, Bench, eventually, is_alive, no_answer
from tests.support.pace import at_pace

DAG_FILE = """
import os
from flowd.sdk.dag import DAG

IS_WARM_TEST_FILE = True
IMPORTED_BY = os.getpid()
"""


class Bundle:
    """A bundle with one DAG file, and calls that load it."""

    def __init__(self, bench: Bench, keeper: Keeper, code: str) -> None:
        self._bench = bench
        self._keeper = keeper
        (bench.folder / "bundle").mkdir()
        (bench.folder / "bundle" / "dags.py").write_text(code)

    async def start(self, do: str, **fields: Any) -> RunningTree:
        """Start a task that loads the file."""
        root = str(self._bench.folder / "bundle")
        return await self._keeper.start(
            self._bench.call(do, root=root, file="dags.py", warm=(root, "dags.py"), **fields)
        )

    async def load(self, do: str = "dags", **fields: Any) -> Ended:
        """Run a task that loads the file."""
        return await (await self.start(do, **fields)).wait()

    async def load_warm(self) -> dict[str, object]:
        """Run tasks until one was forked by a fork server; return what it saw."""
        while True:
            ended = await self.load()
            assert ended.result is not None, self._bench.texts()
            if ended.result["imported_by"] != ended.result["pid"]:
                return dict(ended.result)


async def test_the_first_task_imports_for_itself_and_later_ones_share_one_import(keeper: Keeper, bench: Bench) -> None:
    bundle = Bundle(bench, keeper, DAG_FILE)

    first = await bundle.load()
    second = await bundle.load_warm()
    third = await bundle.load_warm()

    assert first.result is not None
    assert (first.exit_code, first.result["imported_by"]) == (0, first.result["pid"])
    assert second["imported_by"] == third["imported_by"] == second["parent"]
    assert second["pid"] != third["pid"]
    assert second["random"] != third["random"]


async def test_a_warm_task_ends_like_any_other(keeper: Keeper, bench: Bench) -> None:
    bundle = Bundle(bench, keeper, DAG_FILE)
    await bundle.load_warm()

    failed = await bundle.load("raise")
    left = await bundle.load("exit", code=9)
    limited = await bundle.load("sleep", timeout_seconds=0.2)

    assert (failed.exit_code, left.exit_code, limited.signal) == (1, 9, signal.SIGTERM)
    assert limited.by == "timeout"
    assert failed.cpu_seconds > 0 and failed.peak_rss_bytes > 1_000_000


async def test_what_an_import_does_to_its_process_does_not_show_in_tasks(keeper: Keeper, bench: Bench) -> None:
    code = DAG_FILE + "os.chdir('/tmp'); print('imported'); os.environ['SET_BY_IMPORT'] = 'yes'; del os.environ['PATH']"
    bundle = Bundle(bench, keeper, code)

    seen = await bundle.load_warm()

    environment = seen["env"]
    assert isinstance(environment, dict)
    assert environment["SET_BY_IMPORT"] == "yes" and "PATH" not in environment
    assert environment["FLOWD_CLAIM_TOKEN"] == "the-token"
    assert seen["cwd"] != "/tmp"


@pytest.mark.parametrize(
    ("trouble", "warning"),
    [
        ("if os.getppid() != 0 and WARM: raise RuntimeError('broken')", "RuntimeError('broken')"),
        ("if WARM: raise SystemExit(3)", "SystemExit(3)"),
        ("if WARM: os._exit(0)", "the import ended its process"),
        ("if WARM: os.closerange(0, 100)", "the import ended its process"),
        ("if WARM:\n import time\n time.sleep(100)", "the import took too long"),
        (
            "if WARM:\n import threading\n threading.Thread(target=threading.Event().wait, daemon=True).start()",
            "the import left threads running",
        ),
    ],
    ids=["raises", "sys-exit", "os-exit", "closes", "hangs", "threads"],
)
async def test_a_file_that_cannot_be_kept_warm_is_run_bare_for_ever(bench: Bench, trouble: str, warning: str) -> None:
    # Only the server misses the variables of one try: there the file makes trouble.
    code = DAG_FILE + "WARM = 'FLOWD_CLAIM_TOKEN' not in os.environ\n" + trouble
    with capture_logs() as logs:
        warm = WarmLimits(load_seconds=at_pace(2))
        async with Keeper.open(env=KEEPER_ENV, on_request=no_answer, warm=warm) as keeper:
            bundle = Bundle(bench, keeper, code)

            await bundle.load()
            await eventually(lambda: bool(logs))
            later = [await bundle.load(), await bundle.load()]
            servers = children_of(keeper.pid)

    assert [log["event"] for log in logs] == ["keeper warns"]
    assert logs[0]["text"].startswith("dags.py is not kept warm: ") and warning in logs[0]["text"]
    assert all(ended.result and ended.result["imported_by"] == ended.result["pid"] for ended in later)
    assert servers == []


async def test_tasks_outlive_their_server_and_their_ends_are_still_known(bench: Bench) -> None:
    servers: list[int] = []

    async def kill_the_server(attempt_id: int, frame: Frame) -> Frame:
        os.kill(servers[0], signal.SIGKILL)
        await eventually(lambda: not is_alive(servers[0]))
        return {}

    async with Keeper.open(env=KEEPER_ENV, on_request=kill_the_server) as keeper:
        bundle = Bundle(bench, keeper, DAG_FILE)
        server = (await bundle.load_warm())["parent"]
        assert isinstance(server, int)
        servers.append(server)
        ended = await bundle.load("dags", stay=True)
        again = await bundle.load_warm()

    assert ended.exit_code == 0, bench.texts()
    assert ended.result is not None and ended.result["parent"] == server
    assert ended.peak_rss_bytes > 0
    assert again["parent"] != server


async def test_warm_tasks_and_their_server_die_with_a_killed_keeper(keeper: Keeper, bench: Bench) -> None:
    bundle = Bundle(bench, keeper, DAG_FILE)
    server = (await bundle.load_warm())["parent"]
    assert isinstance(server, int)
    tree = await bundle.start("sleep")
    task = tree.pid
    assert task is not None and task in children_of(server)

    os.kill(keeper.pid, signal.SIGKILL)

    with pytest.raises(KeeperDied):
        await tree.wait()
    await eventually(lambda: not is_alive(server) and not is_alive(task), 2)


async def test_a_server_that_hangs_is_replaced_by_a_bare_fork(bench: Bench) -> None:
    limits = WarmLimits(answer_seconds=0.3)
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer, warm=limits) as keeper:
        bundle = Bundle(bench, keeper, DAG_FILE)
        server = (await bundle.load_warm())["parent"]
        assert isinstance(server, int)

        os.kill(server, signal.SIGSTOP)
        ends = await asyncio.gather(*(bundle.load() for _ in range(SPARES + 1)))

        parents = [ended.result["parent"] for ended in ends if ended.result is not None]
        assert sorted(parents) == sorted([server] * SPARES + [keeper.pid])
        assert not is_alive(server)


async def test_the_next_tasks_are_forked_before_they_are_started(keeper: Keeper, bench: Bench) -> None:
    bundle = Bundle(bench, keeper, DAG_FILE)
    server = (await bundle.load_warm())["parent"]
    assert isinstance(server, int)
    await eventually(lambda: len(children_of(server)) == SPARES)
    spares = children_of(server)

    ended = await bundle.load_warm()

    assert ended["pid"] in spares
    assert not any("Returned value" in text for text in bench.texts()), "its rehearsal is in the log of its task"
    await eventually(lambda: len(children_of(server)) == SPARES and ended["pid"] not in children_of(server))


async def test_a_spare_process_that_was_killed_is_given_to_no_task(keeper: Keeper, bench: Bench) -> None:
    bundle = Bundle(bench, keeper, DAG_FILE)
    server = (await bundle.load_warm())["parent"]
    assert isinstance(server, int)
    await eventually(lambda: len(children_of(server)) == SPARES)
    killed = children_of(server)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]

    seen = await bundle.load_warm()

    assert seen["parent"] == server and seen["pid"] not in killed
    await eventually(lambda: not set(killed) & set(children_of(server)))


async def test_spare_processes_end_with_their_server(bench: Bench) -> None:
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
        bundle = Bundle(bench, keeper, DAG_FILE)
        server = (await bundle.load_warm())["parent"]
        assert isinstance(server, int)
        await eventually(lambda: len(children_of(server)) == SPARES)
        spares = children_of(server)

        os.kill(server, signal.SIGKILL)

        await eventually(lambda: not any(map(is_alive, spares)))
        assert (await bundle.load_warm())["parent"] != server


async def test_idle_and_least_used_servers_end(bench: Bench, tmp_path: Path) -> None:
    limits = WarmLimits(servers=1, idle_seconds=0.3)
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer, warm=limits) as keeper:
        (tmp_path / "other").mkdir()
        one = Bundle(bench, keeper, DAG_FILE)
        other = Bundle(Bench(tmp_path / "other"), keeper, DAG_FILE)

        first = (await one.load_warm())["parent"]
        second = (await other.load_warm())["parent"]
        assert isinstance(first, int) and isinstance(second, int)

        assert not is_alive(first)
        await eventually(lambda: not is_alive(second))
