"""Calls: entry.main in a process forked from the keeper, or in a new interpreter; both must look the same inside."""

import asyncio
import os
from pathlib import Path

import pytest

from flowd.child.frames import Frame
from flowd.child.keeper_client import Keeper
from flowd.child.launch import EndedBy, Limits
from tests.child.keeper.launching import KEEPER_ENV, Bench, no_answer, run

both = pytest.mark.parametrize("fresh", [False, True], ids=["forked", "fresh"])


@both
async def test_a_task_finds_its_surroundings_as_ordered(
    keeper: Keeper, bench: Bench, tmp_path: Path, fresh: bool
) -> None:
    env = {"ONLY": "this", "ODD": "a\nb\udcff", "TZ": "Asia/Tokyo"}
    launch = bench.call("describe", fresh=fresh, env=env, cwd=str(tmp_path), limits=Limits(open_files=77))

    ended = await run(keeper, launch)

    assert ended.exit_code == 0, bench.texts()
    assert ended.result is not None
    seen = dict(ended.result)
    assert {name: seen["env"][name] for name in env} == env
    assert set(seen["env"]) <= {*env, "LC_CTYPE"}
    assert seen["cwd"] == str(tmp_path)
    assert (seen["leads"], seen["descriptors"], seen["stdin"]) == (True, [0, 1, 2, 3], os.devnull)
    assert seen["sigterm_is_default"] and seen["sigint_raises"]
    assert (seen["open_files"], seen["parent"]) == (77, keeper.pid)


async def test_forks_of_one_interpreter_draw_different_random_numbers(keeper: Keeper, bench: Bench) -> None:
    ends = [await run(keeper, bench.call("describe")) for _ in range(2)]

    first, second = (ended.result["random"] for ended in ends if ended.result)
    assert first != second


@both
@pytest.mark.parametrize(
    ("code", "expected"), [(None, 0), (0, 0), (7, 7), (256 + 3, 3), (-1, 255), ("said why", 1), (True, 1)]
)
async def test_sys_exit_is_honoured(keeper: Keeper, bench: Bench, code: object, expected: int, fresh: bool) -> None:
    ended = await run(keeper, bench.call("exit", code=code, fresh=fresh))

    assert (ended.by, ended.exit_code) == (EndedBy.EXIT, expected)
    assert bench.texts("e") == (["said why"] if code == "said why" else [])


@both
async def test_an_exception_is_exit_1_with_its_traceback_on_stderr(keeper: Keeper, bench: Bench, fresh: bool) -> None:
    ended = await run(keeper, bench.call("raise", fresh=fresh))

    assert ended.exit_code == 1
    assert bench.texts("e")[0] == "Traceback (most recent call last):"
    assert bench.texts("e")[-1] == "RuntimeError: no luck today"


@both
async def test_output_is_utf8_by_lines_and_no_character_makes_it_fail(
    keeper: Keeper, bench: Bench, fresh: bool
) -> None:
    ended = await run(keeper, bench.call("print", fresh=fresh))

    assert (ended.exit_code, ended.last_line) == (0, "plain \\udcff")
    assert (bench.texts("o"), bench.texts("e")) == (["plain \\udcff"], ["wrong"])


@both
async def test_threads_and_atexit_functions_finish_first(keeper: Keeper, bench: Bench, fresh: bool) -> None:
    ended = await run(keeper, bench.call("at_exit", fresh=fresh))

    assert ended.exit_code == 0
    assert bench.texts("oe") == ["from a thread", "from atexit"]


@both
async def test_memory_over_the_limit_fails_the_task_alone(keeper: Keeper, bench: Bench, fresh: bool) -> None:
    launch = bench.call("allocate", bytes=2**31, fresh=fresh, limits=Limits(address_space_bytes=2**30))

    ended = await run(keeper, launch)

    assert ended.exit_code == 1
    assert bench.texts("e")[-1] == "MemoryError"


@both
async def test_requests_are_answered_by_the_owner_and_the_result_comes_with_the_end(bench: Bench, fresh: bool) -> None:
    async def answer(attempt_id: int, frame: Frame) -> Frame:
        return {"attempt": attempt_id, "twice": 2 * frame["number"], "padding": "x" * 500_000}

    async with Keeper.open(env=KEEPER_ENV, on_request=answer) as keeper:
        tree = await keeper.start(bench.call("ask", times=3, fresh=fresh))
        ended = await tree.wait()

    assert ended.result is not None
    assert [reply["twice"] for reply in ended.result["replies"]] == [0, 2, 4]
    assert {reply["attempt"] for reply in ended.result["replies"]} == {tree.attempt_id}


async def test_a_refusal_reaches_the_task_as_an_error(bench: Bench) -> None:
    async def refuse(attempt_id: int, frame: Frame) -> Frame:
        raise LookupError("there is no such thing")

    async with Keeper.open(env=KEEPER_ENV, on_request=refuse) as keeper:
        ended = await run(keeper, bench.call("ask", times=1))

    assert ended.exit_code == 1
    assert bench.texts("e")[-1].endswith("question: LookupError: there is no such thing")


async def test_a_slow_answer_holds_up_no_other_and_a_start_may_bring_its_own_answerer(bench: Bench) -> None:
    may_answer = asyncio.Event()

    async def slowly(attempt_id: int, frame: Frame) -> Frame:
        await may_answer.wait()
        return {"by": "the slow"}

    async def at_once(attempt_id: int, frame: Frame) -> Frame:
        return {"by": "the quick"}

    async with Keeper.open(env=KEEPER_ENV, on_request=slowly) as keeper:
        slow = await keeper.start(bench.call("ask", times=1))
        quick = await (await keeper.start(bench.call("ask", times=1), at_once)).wait()
        may_answer.set()
        late = await slow.wait()

    assert quick.result is not None and quick.result["replies"][0]["by"] == "the quick"
    assert late.result is not None and late.result["replies"][0]["by"] == "the slow"


@pytest.mark.parametrize("garbage", ["\0\0\0\x05hello", "\0\0\0\x021\n", "\x7f\x7f\x7f\x7f", "\0\0\0\x02[]"])
async def test_a_task_that_breaks_the_protocol_harms_only_itself(keeper: Keeper, bench: Bench, garbage: str) -> None:
    broken = await run(keeper, bench.call("garbage", bytes=garbage))
    after = await run(keeper, bench.script("echo fine"))

    assert (broken.exit_code, broken.last_line, broken.result) == (0, "still here", None)
    assert after.last_line == "fine"


async def test_deeply_nested_json_harms_only_its_sender(keeper: Keeper, bench: Bench) -> None:
    nested = "[" * 100_000

    await run(keeper, bench.call("garbage", bytes=(len(nested)).to_bytes(4).decode("latin-1") + nested))

    assert (await run(keeper, bench.script("echo fine"))).last_line == "fine"


async def test_an_entry_that_does_not_exist_is_told_in_the_log(bench: Bench) -> None:
    async with Keeper.open(env={**KEEPER_ENV, "PYTHONPATH": ""}, on_request=no_answer) as keeper:
        ended = await run(keeper, bench.call("describe"))

    assert ended.exit_code == 1
    assert "ModuleNotFoundError" in bench.texts("e")[-1]
