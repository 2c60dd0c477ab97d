"""Scripts: bash -c, exactly as told, and what is known of its end."""

import os
from pathlib import Path

import pytest

from flowd.child.keeper_client import Keeper
from flowd.child.launch import EndedBy, Limits
from tests.child.keeper.launching import Bench, eventually, run


@pytest.mark.parametrize("code", [0, 1, 99, 255])
async def test_the_exit_code_is_the_scripts(keeper: Keeper, bench: Bench, code: int) -> None:
    ended = await run(keeper, bench.script(f"exit {code}"))

    assert (ended.by, ended.exit_code, ended.signal, ended.error) == (EndedBy.EXIT, code, None, None)


async def test_a_signal_is_told_apart_from_an_exit(keeper: Keeper, bench: Bench) -> None:
    ended = await run(keeper, bench.script("kill -SEGV $$"))

    assert (ended.by, ended.exit_code, ended.signal) == (EndedBy.EXIT, None, 11)


async def test_the_environment_is_replaced(keeper: Keeper, bench: Bench) -> None:
    await run(keeper, bench.script("env", env={"ONLY": "this"}))

    assert "ONLY=this" in bench.texts()
    assert {text.partition("=")[0] for text in bench.texts()} == {"ONLY", "PWD", "SHLVL", "_"}


async def test_a_script_starts_in_its_folder(keeper: Keeper, bench: Bench, tmp_path: Path) -> None:
    ended = await run(keeper, bench.script("pwd -P", cwd=str(tmp_path)))

    assert ended.last_line == str(tmp_path)


async def test_without_a_folder_it_gets_an_empty_one_that_is_removed(keeper: Keeper, bench: Bench) -> None:
    filled = await run(keeper, bench.script("mkdir -p a/b && touch a/b/c; pwd"))
    locked = await run(keeper, bench.script("chmod 555 .; pwd"))
    given_away = await run(keeper, bench.script("chown nobody . 2>/dev/null || touch file; pwd"))
    await run(keeper, bench.script("true"))
    counts = [await run(keeper, bench.script("stat -c %a .; ls -A | wc -l")) for _ in range(3)]

    assert [ended.last_line for ended in counts] == ["0", "0", "0"]
    assert set(bench.texts()[3:]) == {"700", "0"}
    gone = [Path(ended.last_line or "") for ended in (filled, locked, given_away)]
    await eventually(lambda: not any(folder.exists() for folder in gone))


@pytest.mark.parametrize(
    ("cwd", "message"),
    [
        ("/no/such/folder", "'/no/such/folder' cannot be entered (No such file"),
        ("relative", "'relative' is not an absolute path"),
        (os.devnull, "cannot be entered"),
    ],
)
async def test_a_folder_that_cannot_be_entered_starts_nothing(
    keeper: Keeper, bench: Bench, cwd: str, message: str
) -> None:
    tree = await keeper.start(bench.script("touch /tmp/never", cwd=cwd))
    ended = await tree.wait()

    assert tree.pid is None
    assert ended.by is EndedBy.NOT_STARTED
    assert ended.error is not None and message in ended.error


@pytest.mark.parametrize(
    ("script", "message"), [("echo " + "x" * 140_000, "put it into a file of the bundle"), ("a\0b", "null byte")]
)
async def test_a_script_that_can_be_no_argument_starts_nothing(
    keeper: Keeper, bench: Bench, script: str, message: str
) -> None:
    ended = await run(keeper, bench.script(script))

    assert ended.by is EndedBy.NOT_STARTED
    assert ended.error is not None and message in ended.error


async def test_stdin_is_empty_no_signal_is_ignored_or_blocked_and_no_descriptor_is_inherited(
    keeper: Keeper, bench: Bench
) -> None:
    # No pipe behind ls: bash itself holds its ends for a moment. Nor is ls last, where bash would become it.
    await run(keeper, bench.script("cat; grep -E '^Sig(Ign|Blk)' /proc/self/status; ls /proc/$$/fd; :"))

    blocked, ignored, *descriptors = bench.texts()
    # glibc's posix_spawn itself ignores its two internal signals, 32 and 33, in the child.
    assert int(blocked.split()[1], 16) == int(ignored.split()[1], 16) & ~0x1_8000_0000 == 0
    assert descriptors == ["0", "1", "2"]


async def test_a_script_leads_a_session_of_its_own(keeper: Keeper, bench: Bench) -> None:
    tree = await keeper.start(bench.script("ps -o sid= -o pgid= -p $$"))
    ended = await tree.wait()

    assert ended.last_line is not None
    assert ended.last_line.split() == [str(tree.pid)] * 2


async def test_limits_hold_from_the_first_line_on(keeper: Keeper, bench: Bench) -> None:
    limits = Limits(address_space_bytes=2**30, cpu_seconds=7, open_files=50)

    ended = await run(keeper, bench.script('echo $(ulimit -v) $(ulimit -t) $(ulimit -n) "$0" $#', limits=limits))

    assert ended.last_line == f"{2**20} 7 50 bash 0"


async def test_cpu_time_and_memory_are_measured(keeper: Keeper, bench: Bench) -> None:
    script = "python3 -c 'x = bytearray(80_000_000); sum(range(2_000_000))'"

    ended = await run(keeper, bench.script(script))

    assert ended.exit_code == 0
    assert ended.cpu_seconds > 0.01
    assert 80_000_000 < ended.peak_rss_bytes < 400_000_000


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("echo one; echo two; echo; echo '  '", "two"),
        ("true", None),
        ("echo err >&2", None),
        ("printf 'no newline'", "no newline"),
        ("printf 'bad \\377 byte\\n'", "bad \ufffd byte"),
        ("head -c 200000 /dev/zero | tr '\\0' x", "x" * 65536),
        ("echo real; for i in $(seq 100); do head -c 2000 /dev/zero | tr '\\0' '\\n'; done", "real"),
    ],
)
async def test_the_last_line_that_is_not_blank_is_remembered(
    keeper: Keeper, bench: Bench, script: str, last: str | None
) -> None:
    ended = await run(keeper, bench.script(script))

    assert ended.last_line == last
