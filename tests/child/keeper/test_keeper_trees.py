"""Whole trees: timeouts, kills and fences end every process of an attempt, wherever it went."""

import asyncio
import os
import signal
import time

import pytest

from flowd.child.keeper.linux import environment_value
from flowd.child.keeper_client import Keeper
from flowd.child.launch import EndedBy
from tests.child.keeper.launching import TASK_ENV, Bench, eventually, is_alive, run, written_pid
from tests.support.pace import at_pace

DEAF = "trap '' TERM; echo deaf; while true; do sleep 0.05; done"


def fence_in(seconds: float) -> int:
    """A fence so many seconds from now."""
    return time.monotonic_ns() + int(seconds * 1e9)


async def test_a_timeout_ends_a_task_that_listens(keeper: Keeper, bench: Bench) -> None:
    script = "trap 'echo cleaned up; exit 4' TERM; while true; do sleep 0.02; done"

    ended = await run(keeper, bench.script(script, timeout_seconds=0.2, grace_seconds=5))

    assert (ended.by, ended.exit_code, ended.last_line) == (EndedBy.TIMEOUT, 4, "cleaned up")
    assert ended.error == "it ran for longer than 0.2 seconds"


async def test_a_timeout_kills_a_task_that_ignores_sigterm_after_its_grace(keeper: Keeper, bench: Bench) -> None:
    began = time.monotonic()

    ended = await run(keeper, bench.script(DEAF, timeout_seconds=0.2, grace_seconds=0.3))

    assert (ended.by, ended.exit_code, ended.signal) == (EndedBy.TIMEOUT, None, signal.SIGKILL)
    assert 0.5 <= time.monotonic() - began < at_pace(2)


async def test_a_stopped_task_hears_sigterm_too(keeper: Keeper, bench: Bench) -> None:
    ended = await run(keeper, bench.script("kill -STOP $$; sleep 100", timeout_seconds=0.2, grace_seconds=20))

    assert (ended.by, ended.signal) == (EndedBy.TIMEOUT, signal.SIGTERM)


async def test_a_kill_is_a_cancel_with_its_reason(keeper: Keeper, bench: Bench) -> None:
    tree = await keeper.start(bench.script("sleep 100"))

    tree.kill("somebody pressed the button")
    ended = await tree.wait()

    assert (ended.by, ended.signal, ended.error) == (EndedBy.CANCEL, signal.SIGTERM, "somebody pressed the button")


async def test_an_immediate_kill_asks_nobody(keeper: Keeper, bench: Bench) -> None:
    tree = await keeper.start(bench.script(DEAF, grace_seconds=100))
    await eventually(lambda: bench.log.exists() and "deaf" in bench.texts())

    tree.kill("now", immediately=True)
    ended = await tree.wait()

    assert (ended.by, ended.signal) == (EndedBy.CANCEL, signal.SIGKILL)


async def test_the_first_cause_of_an_end_is_the_one_that_is_told(keeper: Keeper, bench: Bench) -> None:
    tree = await keeper.start(bench.script(DEAF, grace_seconds=100, fence_at_ns=fence_in(0.6)))
    await eventually(lambda: bench.log.exists() and "deaf" in bench.texts())

    tree.kill("first")
    tree.kill("second")
    ended = await tree.wait()

    assert (ended.by, ended.error, ended.signal) == (EndedBy.CANCEL, "first", signal.SIGKILL)


async def test_a_fence_kills_the_tree_before_its_deadline(keeper: Keeper, bench: Bench) -> None:
    pid_file = bench.folder / "pid"
    deadline = fence_in(0.6)
    tree = await keeper.start(
        bench.script(f"setsid bash -c 'echo $$ > {pid_file}; sleep 100' & {DEAF}", fence_at_ns=deadline)
    )
    child = await written_pid(pid_file)

    ended = await tree.wait()

    assert time.monotonic_ns() < deadline
    assert (ended.by, ended.signal) == (EndedBy.FENCE, signal.SIGKILL)
    assert not is_alive(child)


async def test_fences_of_many_trees_move_in_one_message(keeper: Keeper, bench: Bench) -> None:
    early = fence_in(0.4)
    moved, left, freed = [await keeper.start(bench.script("sleep 1; exit 5", fence_at_ns=early)) for _ in range(3)]

    keeper.fence({moved.attempt_id: fence_in(60), freed.attempt_id: None, 12345: early})
    ends = await asyncio.gather(moved.wait(), left.wait(), freed.wait())

    assert [(ended.by, ended.exit_code) for ended in ends] == [
        (EndedBy.EXIT, 5),
        (EndedBy.FENCE, None),
        (EndedBy.EXIT, 5),
    ]


async def test_a_lease_that_is_over_starts_nothing(keeper: Keeper, bench: Bench) -> None:
    ended = await run(keeper, bench.script("true", fence_at_ns=fence_in(-1)))

    assert ended.by is EndedBy.NOT_STARTED
    assert ended.error == "the lease had ended before the process could be started"


@pytest.mark.parametrize(
    "escape",
    [
        "sleep 100 & echo $! > {file}",
        "setsid bash -c 'echo $$ > {file}; exec sleep 100' &",
        "(setsid bash -c 'echo $$ > {file}; exec sleep 100' &)",
        "(setsid env -i bash -c 'echo $$ > {file}; exec sleep 100' &)",
        "nohup setsid bash -c 'trap \"\" TERM HUP INT; echo $$ > {file}; (sleep 100)' > /dev/null 2>&1 &",
    ],
    ids=["background", "setsid", "double-fork", "shed-environment", "nohup"],
)
async def test_what_a_script_leaves_behind_dies_with_it(keeper: Keeper, bench: Bench, escape: str) -> None:
    pid_file = bench.folder / "pid"
    script = f"{escape.format(file=pid_file)}\nuntil [ -s {pid_file} ]; do sleep 0.01; done; exit 6"
    began = time.monotonic()

    ended = await run(keeper, bench.script(script))

    left = await written_pid(pid_file)
    assert (ended.by, ended.exit_code) == (EndedBy.EXIT, 6)
    assert not is_alive(left)
    assert time.monotonic() - began < at_pace(5)


@pytest.mark.parametrize("shed", [False, True], ids=["forked", "shed-environment"])
@pytest.mark.parametrize("stay", [False, True], ids=["at-its-end", "at-its-timeout"])
async def test_what_a_python_task_forks_away_dies_with_it(keeper: Keeper, bench: Bench, shed: bool, stay: bool) -> None:
    pid_file = bench.folder / "pid"
    launch = bench.call("fork_away", pid_file=str(pid_file), shed=shed, stay=stay, timeout_seconds=0.7)

    ended = await run(keeper, launch)

    left = await written_pid(pid_file)
    assert ended.by is (EndedBy.TIMEOUT if stay else EndedBy.EXIT), bench.texts()
    assert not is_alive(left)


@pytest.mark.parametrize(
    "escape",
    [
        "(setsid bash -c 'echo $$ > {file}; exec sleep 100' &)",
        "set -m; env -i bash -c 'echo $$ > {file}; exec sleep 100' &",
    ],
    ids=["by-mark", "by-session"],
)
async def test_an_orphan_dies_with_its_own_attempt_while_others_run_on(
    keeper: Keeper, bench: Bench, escape: str
) -> None:
    pid_file = bench.folder / "pid"
    other = {"mark": "other", "env": {**TASK_ENV, "FLOWD_CLAIM_TOKEN": "other"}}
    await keeper.start(bench.script("sleep 100", **other))
    script = f"{escape.format(file=pid_file)}\nuntil [ -s {pid_file} ]; do sleep 0.01; done"

    await run(keeper, bench.script(script))

    assert not is_alive(await written_pid(pid_file))


async def test_what_a_python_task_forked_is_known_by_its_name_while_others_run_on(keeper: Keeper, bench: Bench) -> None:
    pid_file = bench.folder / "pid"
    await keeper.start(bench.script("sleep 100", mark="other", env={**TASK_ENV, "FLOWD_CLAIM_TOKEN": "other"}))

    await run(keeper, bench.call("fork_away", pid_file=str(pid_file)))

    assert not is_alive(await written_pid(pid_file))


async def test_an_orphan_that_shed_all_signs_dies_with_the_last_attempt_it_may_belong_to(
    keeper: Keeper, bench: Bench
) -> None:
    pid_file = bench.folder / "pid"
    other = await keeper.start(bench.script("sleep 100"))
    script = f"(setsid env -i bash -c 'echo $$ > {pid_file}; exec sleep 100' &)"

    await run(keeper, bench.script(f"{script}\nuntil [ -s {pid_file} ]; do sleep 0.01; done"))
    orphan = await written_pid(pid_file)
    was_spared = is_alive(orphan)
    other.kill("enough", immediately=True)
    await other.wait()

    assert was_spared
    assert not is_alive(orphan)


async def test_a_kill_reaches_children_in_other_sessions_that_shed_all_signs(keeper: Keeper, bench: Bench) -> None:
    pid_file = bench.folder / "pid"
    await keeper.start(bench.script("sleep 100"))
    script = f"setsid env -i bash -c 'echo $$ > {pid_file}; sleep 100; true' & wait"
    tree = await keeper.start(bench.script(script))
    child = await written_pid(pid_file)

    tree.kill("enough", immediately=True)
    await tree.wait()

    assert not is_alive(child)


async def test_an_end_kills_no_process_of_another_attempt(keeper: Keeper, bench: Bench) -> None:
    pid_file = bench.folder / "pid"
    launch = bench.call(
        "fork_away", pid_file=str(pid_file), stay=True, mark="other", env={"FLOWD_CLAIM_TOKEN": "other"}
    )
    other = await keeper.start(launch)
    orphan = await written_pid(pid_file)
    script_file = bench.folder / "script_pid"
    script = await keeper.start(
        bench.script(
            f"(setsid bash -c 'echo $$ > {script_file}; exec sleep 100' &); sleep 100",
            mark="third",
            env={"PATH": os.environ["PATH"], "FLOWD_CLAIM_TOKEN": "third"},
        )
    )
    marked = await written_pid(script_file)

    await run(keeper, bench.script("true"))

    assert is_alive(orphan) and is_alive(marked)
    other.kill("enough", immediately=True)
    script.kill("enough", immediately=True)
    await other.wait()
    await script.wait()
    assert not is_alive(orphan) and not is_alive(marked)


async def test_whoever_holds_stdout_delays_the_end_by_a_second_at_most(keeper: Keeper, bench: Bench) -> None:
    pid_file = bench.folder / "pid"
    tree = await keeper.start(
        bench.script(f"echo $$ > {pid_file}; while [ ! -e {bench.folder}/go ]; do sleep 0.01; done; echo told")
    )
    # A process outside the tree opens the pipe anew, as a debugger or a copied descriptor would.
    pid = await written_pid(pid_file)
    held = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY)

    (bench.folder / "go").touch()
    await eventually(lambda: not is_alive(pid))
    began = time.monotonic()
    ended = await tree.wait()
    waited = time.monotonic() - began
    os.close(held)

    assert (ended.exit_code, ended.last_line) == (0, "told")
    assert waited < at_pace(2)


async def test_a_fork_bomb_ends_at_its_timeout(keeper: Keeper, bench: Bench) -> None:
    # Bounded, so that a failure of this test is not one of the machine.
    script = (
        "bomb() { [ $1 -gt 0 ] && { bomb $(($1 - 1)) & bomb $(($1 - 1)) & }; while true; do sleep 1; done; }; bomb 6"
    )

    mark = f"bomb-{keeper.pid}"
    launch = bench.script(script, mark=mark, env={**TASK_ENV, "FLOWD_CLAIM_TOKEN": mark}, timeout_seconds=4)
    tree = await keeper.start(launch)
    await eventually(lambda: len(_pids_with(mark)) > 60)

    ended = await tree.wait()

    assert ended.by is EndedBy.TIMEOUT
    assert not _pids_with(mark)


def _pids_with(mark: str) -> list[int]:
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return [pid for pid in pids if environment_value(pid, "FLOWD_CLAIM_TOKEN") == mark and is_alive(pid)]
