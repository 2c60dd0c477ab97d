"""The entry point: lazy nouns, messages for people, exit codes for scripts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowd import __version__
from flowd.cli import main as entry
from flowd.cli.exit_codes import ExitCode, exit_code_of
from flowd.cli.nouns import NOUNS
from flowd.domain.errors import (
    Conflict,
    FlowdError,
    InvalidInput,
    InvalidSettings,
    MetastoreUnavailable,
    NotFound,
    QueueUnavailable,
    Unauthorised,
)
from tests.cli.conftest import Flowd
from tests.support.pace import at_pace

FLOWD = str(Path(sys.executable).with_name("flowd"))
HELP_SECONDS = 0.3

ASK_FOR_ALL_HELP = """
import json, sys
from flowd.cli.main import main
for arguments in (["--help"], *([noun, "--help"] for noun in json.loads(sys.argv[1]))):
    try:
        main(arguments)
    except SystemExit as ended:
        assert not ended.code, arguments
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def test_help_imports_nothing_of_the_server() -> None:
    arguments = [sys.executable, "-c", ASK_FOR_ALL_HELP, json.dumps(list(NOUNS))]

    done = subprocess.run(arguments, capture_output=True, text=True, check=True)

    loaded = set(json.loads(done.stderr))
    assert loaded.isdisjoint({"sqlalchemy", "alembic", "fastapi", "pydantic_settings", "aio_pika", "rich", "structlog"})
    for name, noun in NOUNS.items():
        assert noun.is_hidden or f"  {name} " in done.stdout


def test_a_command_that_goes_to_a_server_imports_nothing_of_one() -> None:
    script = """
import json, sys
from flowd.cli.main import main
try:
    main(["dags", "list", "--api", "http://127.0.0.1:1"])
except SystemExit as ended:
    assert ended.code == 5, ended
print(json.dumps(sorted(sys.modules)))
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    loaded = set(json.loads(done.stdout))
    assert loaded.isdisjoint(
        {"sqlalchemy", "alembic", "fastapi", "starlette", "pydantic_settings", "uvicorn", "structlog"}
    )
    assert "httpx" in loaded


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("flowd as", ["assets", "asset-state"]),
        ("flowd dags tr", ["trigger"]),
        ("flowd dags trigger --lo", ["--logical-date"]),
    ],
)
def test_the_shell_completes_nouns_verbs_and_options(line: str, completed: list[str]) -> None:
    asked = {"_FLOWD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}

    done = subprocess.run([FLOWD], env={**os.environ, **asked}, capture_output=True, text=True, check=True)

    assert done.stdout.split() == completed


def test_help_answers_at_once() -> None:
    def seconds(*arguments: str) -> float:
        # Of the processor: what else the machine is doing must not decide this.
        process = subprocess.Popen([FLOWD, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    for arguments in (["--help"], ["db", "--help"]):
        assert min(seconds(*arguments) for _ in range(3)) < at_pace(HELP_SECONDS)


def test_a_real_process_exits_with_the_code_of_its_error(tmp_path: Path) -> None:
    environ = {"FLOWD_HOME": str(tmp_path), "FLOWD__API__PORT": "abc", "FLOWD__NODE__ROLES": "dancer"}

    done = subprocess.run([FLOWD, "run"], env=environ, cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (78, "")
    assert "the configuration has 2 problems:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FlowdError("x"), 1),
        (Conflict("x"), 1),
        (InvalidInput("x"), 2),
        (NotFound("x"), 3),
        (Unauthorised("x"), 4),
        (MetastoreUnavailable("x"), 5),
        (QueueUnavailable("x"), 5),
        (InvalidSettings("x"), 78),
    ],
)
def test_each_kind_of_error_has_an_exit_code(error: FlowdError, code: int) -> None:
    assert exit_code_of(error) == code
    assert (ExitCode.TIMED_OUT, ExitCode.OK) == (124, 0)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["users", "nonsense"], ["db", "clean"], ["users", "list", "-o", "x"]]
)
def test_a_command_that_is_none_is_a_matter_of_usage(flowd: Flowd, arguments: list[str]) -> None:
    outcome = flowd(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: flowd" in outcome.err


def test_an_unexpected_error_is_a_message_and_a_traceback_only_on_request(
    flowd: Flowd, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(entry, "app", fail)

    outcome = flowd("version")

    assert outcome.code == 1
    assert "unexpected ZeroDivisionError: by zero" in outcome.err and "--debug" in outcome.err
    for arguments in (["--debug", "version"], ["version", "--debug"]):
        with pytest.raises(ZeroDivisionError):
            entry.main(arguments)


def test_debug_behind_a_double_dash_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(entry, "app", lambda args, **_: seen.append(args))

    entry.main(["--debug", "tasks", "--", "--debug"])

    assert seen == [["tasks", "--", "--debug"]]


def test_an_interrupted_command_ends_as_shells_expect(flowd: Flowd, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "app", interrupt)

    assert flowd("version").code == 130


def test_the_version_is_bare_or_with_the_libraries(flowd: Flowd) -> None:
    assert flowd("--version").out == f"{__version__}\n"
    assert flowd("version").out == f"{__version__}\n"
    assert json.loads(flowd("version", "--all", "-o", "json").out)["flowd"] == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        ["standalone", "--roles", "dancer"],
        ["worker", "-q", "a", "-c", "0"],
        ["webserver", "-p", "70000"],
        ["api-server", "--workers", "0"],
    ],
)
def test_airflows_words_reach_the_same_settings(flowd: Flowd, arguments: list[str]) -> None:
    outcome = flowd(*arguments)

    assert outcome.code == 78
    assert "(flag)" in outcome.err
