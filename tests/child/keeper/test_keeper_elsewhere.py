"""The keeper under another event loop, and without what only Linux has."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from flowd.child.keeper_client import Keeper
from flowd.child.launch import EndedBy
from tests.child.keeper.launching import KEEPER_ENV, Bench, eventually, is_alive, no_answer, run, written_pid

WITHOUT_LINUX = """
from flowd.child.keeper import linux
linux.IS_LINUX = False
linux.open_exit_watch = lambda pid: None
"""


def test_it_works_under_uvloop(bench: Bench) -> None:
    async def main() -> int | None:
        async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
            code = (await run(keeper, bench.script("exit 4"))).exit_code
        assert not is_alive(keeper.pid)
        return code

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == 4


async def test_without_pidfd_prctl_and_proc_tasks_run_time_out_and_die_with_their_group(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT_LINUX)
    env = {**KEEPER_ENV, "PYTHONPATH": f"{tmp_path / 'site'}:{KEEPER_ENV['PYTHONPATH']}"}
    pid_file, running_file = tmp_path / "pid", tmp_path / "running"

    async with Keeper.open(env=env, on_request=no_answer) as keeper:
        left = await run(keeper, bench.script(f"sleep 100 & echo $! > {pid_file}; exit 3"))
        limited = await run(keeper, bench.script("sleep 100", timeout_seconds=0.2))
        called = await run(keeper, bench.call("describe"))
        await keeper.start(bench.script(f"echo $$ > {running_file}; sleep 100"))
        running = await written_pid(running_file)

    child = await written_pid(pid_file)
    assert (left.by, left.exit_code) == (EndedBy.EXIT, 3)
    assert (limited.by, limited.signal) == (EndedBy.TIMEOUT, 15)
    assert called.exit_code == 0 and called.result is not None
    await eventually(lambda: not is_alive(child) and not is_alive(running))


async def test_an_import_that_fails_ahead_does_not_keep_the_keeper_from_running_scripts(
    bench: Bench, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site" / "jinja2").mkdir(parents=True)
    (tmp_path / "site" / "jinja2" / "__init__.py").write_text("raise RuntimeError('broken jinja2')")
    env = {**KEEPER_ENV, "PYTHONPATH": f"{tmp_path / 'site'}:{KEEPER_ENV['PYTHONPATH']}"}

    async with Keeper.open(env=env, on_request=no_answer) as keeper:
        ended = await run(keeper, bench.script("echo fine"))

    assert ended.last_line == "fine"
    assert "broken jinja2" in capfd.readouterr().err
