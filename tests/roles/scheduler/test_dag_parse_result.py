"""What the end of a parsing process says about its file, where a real process is hard to bring to that end."""

from datetime import timedelta
from typing import Any

import pytest

from flowd.child.launch import Ended, EndedBy
from flowd.domain.dag_spec import dag_to_json
from flowd.roles.scheduler.dag_parse_result import LONGEST_ERROR, ParseBounds, ParsedFile, parsed_file, stderr_tail
from tests.support.specs import a_dag, a_task

BOUNDS = ParseBounds(timeout=timedelta(seconds=30), memory_bytes=512 * 1024**2)


def read(result: dict[str, Any] | None = None, *, tail: str = "", **fields: Any) -> ParsedFile:
    values: dict[str, Any] = {"by": EndedBy.EXIT, "exit_code": 0, "result": result}
    ended = Ended(**(values | fields))
    return parsed_file("etl.py", ended, tail, BOUNDS, 0.5)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"by": EndedBy.TIMEOUT, "signal": 9}, "etl.py: took longer than 30 s to import"),
        ({"by": EndedBy.NOT_STARTED, "error": "no room"}, "etl.py: no process could be started to import it: no room"),
        ({"by": EndedBy.CANCEL, "error": "enough"}, "etl.py: its import was stopped: enough"),
        ({"signal": 9, "exit_code": None}, "etl.py: killed by SIGKILL while it was imported: it killed itself, or"),
        ({"signal": 11, "exit_code": None}, "etl.py: killed by SIGSEGV while it was imported"),
        ({"exit_code": 3}, "etl.py: called os._exit(3) while it was imported"),
        (
            {"exit_code": 1, "error": "its result was dropped"},
            "etl.py: its import has no result: its result was dropped",
        ),
        ({"exit_code": 1, "tail": "MemoryError"}, "etl.py: ran out of memory (limit 512 MiB)"),
    ],
)
def test_an_end_without_a_result_is_named(fields: dict[str, Any], expected: str) -> None:
    parsed = read(**fields)

    assert parsed.is_broken
    assert (parsed.error or "").startswith(expected)


def test_memory_that_an_import_could_not_get_is_named_with_its_limit() -> None:
    parsed = read({"import_error": {"message": "etl.py: MemoryError", "traceback": "Traceback: x"}})

    assert (parsed.error or "").startswith("etl.py: ran out of memory (limit 512 MiB)")
    assert (parsed.error or "").endswith("Traceback: x")


@pytest.mark.parametrize("result", [{}, {"dags": 1}, {"dags": [1]}, {"dags": [], "errors": [{}]}, {"dags": [{}]}])
def test_something_that_is_no_result_breaks_the_file_alone(result: dict[str, Any]) -> None:
    assert "no result" in (read(result).error or "")


@pytest.mark.parametrize(
    "spec",
    [
        a_dag(dag_id="x" * 251),
        a_dag(dag_id="nul\0"),
        a_dag(file="other.py"),
        a_dag(a_task("t"), a_task("t")),
        a_dag(a_task("t", after=["t"])),
    ],
)
def test_what_a_child_says_is_checked_again(spec: Any) -> None:
    good = a_dag(dag_id="good", file="etl.py")

    parsed = read({"dags": [dag_to_json(spec), dag_to_json(good)]})

    assert parsed.dags == (good,)
    assert parsed.refused == (spec.dag_id,)
    assert parsed.error


def test_the_form_of_another_version_is_refused_by_name() -> None:
    parsed = read({"dags": [dag_to_json(a_dag()) | {"format": 99}]})

    assert "form 99" in (parsed.error or "")


def test_a_very_long_error_keeps_its_beginning_and_its_end() -> None:
    parsed = read({"import_error": {"message": "begin", "traceback": "x" * LONGEST_ERROR + "end"}})

    error = parsed.error or ""
    assert error.startswith("begin")
    assert error.endswith("end")
    assert len(error) < LONGEST_ERROR + 100


def test_the_tail_of_stderr_is_read_from_the_log_without_stdout_and_times() -> None:
    log = ["2026Z e one", "2026Z o noise", "2026Z E two ", "2026Z - flowd", "torn", "2026Z e three"]

    assert stderr_tail(log, lines=2) == "two \nthree"


def test_a_duration_that_no_timedelta_holds_costs_its_dag_alone() -> None:
    endless = dag_to_json(a_dag(a_task("t"), dag_id="endless", dagrun_timeout=timedelta.max))
    long = dag_to_json(a_dag(a_task("t"), dag_id="long", dagrun_timeout=timedelta(days=3_000_000)))

    parsed = read({"dags": [endless, long, dag_to_json(a_dag(a_task("t")))]})

    assert ([dag.dag_id for dag in parsed.dags], parsed.refused) == (["etl"], ("endless", "long"))
    assert "DAG 'long': its dagrun_timeout is 3000000 days, wanted at most 36525" in (parsed.error or "")
