"""Logs of running trees: every byte, behind its time and stream, without a stall for anyone."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta

from flowd.child.keeper_client import Keeper
from flowd.child.launch import EndedBy
from tests.child.keeper.launching import KEEPER_ENV, Bench, eventually, no_answer, run
from tests.support.pace import at_pace

LINE = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})Z ([oeOE-]) (.*)", re.DOTALL)


async def test_each_line_stands_behind_its_time_and_stream(keeper: Keeper, bench: Bench) -> None:
    await run(keeper, bench.script("echo out; echo err >&2; echo; printf end"))

    lines = bench.log.read_bytes().split(b"\n")
    matches = [LINE.fullmatch(line) for line in lines[:-1]]
    assert sorted((match[2], match[3]) for match in matches if match) == [
        (b"e", b"err"),
        (b"o", b""),
        (b"o", b"end"),
        (b"o", b"out"),
    ]
    assert matches[0] is not None and lines[-1] == b""
    moment = datetime.fromisoformat(matches[0][1].decode()).replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=30)


async def test_a_log_is_live_and_appended_to(keeper: Keeper, bench: Bench) -> None:
    await run(keeper, bench.script("echo first"))
    await run(keeper, bench.script(f"echo second; until grep -q second {bench.log}; do sleep 0.01; done; echo seen"))

    assert bench.texts() == ["first", "second", "seen"]


async def test_binary_output_is_kept_byte_by_byte(keeper: Keeper, bench: Bench) -> None:
    data = bytes(range(256)) * 4000
    (bench.folder / "data").write_bytes(data)

    await run(keeper, bench.script(f"cat {bench.folder / 'data'}"))

    kept = b""
    # Cut at newlines that begin a line of the log: the data has newlines of its own.
    for piece in re.split(rb"(?:\A|\n)(?=\d{4}-\d\d-\d\dT)", bench.log.read_bytes())[1:]:
        match = LINE.fullmatch(piece)
        assert match is not None
        kept += match[3].removesuffix(b"\n") + (b"" if match[2] == b"O" else b"\n")
    assert kept[: len(data)] == data
    assert len(kept) - len(data) <= 1


async def test_50_megabytes_without_a_newline_stall_no_other_attempt(keeper: Keeper, bench: Bench) -> None:
    loud = Bench(bench.folder / "loud")
    began = time.monotonic()
    flood = await keeper.start(loud.script("head -c 50000000 /dev/zero | tr '\\0' x; echo; echo done"))

    longest = 0.0
    end = asyncio.ensure_future(flood.wait())
    while not end.done():
        asked = time.monotonic()
        await run(keeper, bench.script("true"))
        longest = max(longest, time.monotonic() - asked)
    ended = await end

    assert (ended.exit_code, ended.last_line, ended.log_truncated) == (0, "done", False)
    assert sum(len(text) for text in loud.texts()) == 50_000_004
    assert {line.split(" ", 2)[1] for line in loud.log.read_text().splitlines()} == {"O", "o"}
    assert longest < at_pace(1)
    assert time.monotonic() - began < at_pace(20)


async def test_a_log_over_its_limit_ends_in_one_marker_and_the_task_goes_on(keeper: Keeper, bench: Bench) -> None:
    launch = bench.script("for i in $(seq 2000); do echo line $i; done; echo last", log_limit_bytes=10_000)

    ended = await run(keeper, launch)

    assert (ended.by, ended.exit_code, ended.last_line, ended.log_truncated) == (EndedBy.EXIT, 0, "last", True)
    assert len(bench.texts("-")) == 1 and "size limit" in bench.texts("-")[0]
    assert bench.texts("o") == [f"line {number}" for number in range(1, len(bench.texts("o")) + 1)]
    assert 9_000 < bench.log.stat().st_size < 10_200


async def test_a_full_disk_does_not_disturb_the_task(keeper: Keeper, bench: Bench) -> None:
    bench.log.parent.mkdir()
    bench.log.symlink_to("/dev/full")

    ended = await run(keeper, bench.script("echo one; echo two"))

    assert (ended.exit_code, ended.last_line, ended.log_truncated) == (0, "two", True)


async def test_what_a_task_wrote_before_its_node_went_away_is_in_its_log(bench: Bench) -> None:
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
        await keeper.start(bench.script(f"printf 'half a line'; touch {bench.folder}/written; sleep 100"))
        await eventually((bench.folder / "written").exists)

    assert bench.texts() == ["half a line"]


async def test_a_log_that_cannot_be_opened_starts_nothing(keeper: Keeper, bench: Bench) -> None:
    bench.log.mkdir(parents=True)

    ended = await run(keeper, bench.script("true"))

    assert ended.by is EndedBy.NOT_STARTED
    assert ended.error is not None and "Is a directory" in ended.error


async def test_a_secret_is_masked_in_the_output_of_subprocesses_too(keeper: Keeper, bench: Bench) -> None:
    script = 'echo -n "${S:0:5}"; sleep 0.05; echo "${S:5} and $S"; echo -n "$S"; echo done'

    ended = await run(keeper, bench.call("hide", secret="pass word/1", script=script))

    assert bench.texts("o") == ["*** and ***", "***done"]
    assert bench.texts("e") == ["***"]
    assert ended.last_line == "pass word/1done"
