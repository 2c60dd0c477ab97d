"""run_task: from an assignment to a result, with a real DAG file and a real socket."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowd.child import callbacks, run_task
from flowd.domain.assignment import RunContext, assignment_to_json, run_to_json
from flowd.domain.ids import DagId, TaskId
from flowd.domain.mappable import TAG
from flowd.domain.states import RunType
from flowd.domain.work import BashWork, PythonWork
from flowd.operators.returned_value import MOST_CHARACTERS
from flowd.sdk import secret_values
from tests.support.specs import an_assignment
from tests.support.task_server import TaskServer

DAGS = str(Path(__file__).parent / "dags")
FIRST = ["2026-01-31", 1]
RUN = RunContext(
    run_type=RunType.MANUAL,
    run_after=datetime(2026, 1, 31, tzinfo=UTC),
    logical_date=datetime(2026, 1, 31, tzinfo=UTC),
    conf={"x": "from conf"},
)


@pytest.fixture(autouse=True)
def unchanged_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    assert signal.getsignal(signal.SIGTERM) is before


class Attempt:
    """One run of `main`: what the server received, and what was printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.server = TaskServer(xcoms={("first", "return_value"): FIRST})
        self._capsys = capsys

    def __call__(self, task_id: str, **fields: Any) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "dag_id": DagId("attempts"),
            "task_id": TaskId(task_id),
            "work": PythonWork(file="attempts.py", callable="x"),
            "run": RUN,
        }
        document = assignment_to_json(an_assignment(**(defaults | fields)))
        with self.server.channel() as channel:
            run_task.main(channel, {"assignment": document, "bundle_root": DAGS, "token": "t"})
        assert self.server.result is not None
        return self.server.result

    def lines(self) -> tuple[list[str], str]:
        """The lines of stdout, and stderr."""
        captured = self._capsys.readouterr()
        return captured.out.splitlines(), captured.err


@pytest.fixture
def attempt(capsys: pytest.CaptureFixture[str]) -> Attempt:
    return Attempt(capsys)


def test_the_keeper_is_told_of_secrets_and_none_is_in_what_is_reported(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_values, "_known", set())
    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgres://me:open-sesame@h")

    result = attempt("show", dag_id=DagId("secretive"), work=PythonWork(file="secretive.py", callable="x"))

    assert attempt.server.masked == ["open-sesame"]
    assert result["error"]["message"] == "ValueError: raised *** for ***"
    assert result["error"]["traceback"].splitlines()[-1] == "ValueError: raised *** for ***"
    assert attempt.server.rendered["op_args"] == ["***"]


def test_a_python_task_succeeds_with_its_value(attempt: Attempt) -> None:
    assert attempt("first") == {"outcome": "success", "value": FIRST}

    out, err = attempt.lines()
    assert err == ""
    assert out == [
        "INFO flowd.sdk.callbacks - calling on_execute_callback note.<locals>.callback",
        "INFO attempts - execute of first in running: None",
        "INFO flowd.operators.python.PythonOperator - Done. Returned value was: ['2026-01-31', 1]",
        "INFO flowd.sdk.callbacks - calling on_success_callback note.<locals>.callback",
        "INFO attempts - success of first in success: None",
    ]


def test_a_bash_task_is_rendered_reported_and_run(attempt: Attempt) -> None:
    assert attempt("bash") == {"outcome": "success", "value": "from conf"}
    assert attempt.server.rendered == {
        "bash_command": "echo ['2026-01-31', 1]; echo from conf",
        "env": None,
        "cwd": None,
    }


@pytest.mark.parametrize(
    ("try_number", "callback"), [(1, "retry of fails in up_for_retry"), (2, "failure of fails in failed")]
)
def test_a_failure_calls_back_by_the_tries_left(attempt: Attempt, try_number: int, callback: str) -> None:
    result = attempt("fails", try_number=try_number, max_tries=1)

    out, err = attempt.lines()
    assert result["outcome"] == "failed"
    assert result["error"]["type"] == "ValueError"
    assert result["error"]["message"] == "ValueError: no rows"
    assert err == result["error"]["traceback"]
    assert err.startswith("Traceback (most recent call last):\n") and 'attempts.py", line' in err
    assert "run_task.py" not in err
    assert f"INFO attempts - {callback}: ValueError('no rows')" in out


def test_a_broken_callback_is_logged_and_the_next_is_called(attempt: Attempt) -> None:
    result = attempt("fails")

    text = "\n".join(attempt.lines()[0])
    assert result["outcome"] == "failed"
    assert "ERROR flowd.sdk.callbacks - on_failure_callback bad_callback failed" in text
    assert "RuntimeError: the callback is broken" in text
    assert text.endswith("failure of fails in failed: ValueError('no rows')")


@pytest.mark.parametrize(
    ("task_id", "outcome", "callback"),
    [
        ("skips", "skipped", "skip of skips in skipped"),
        ("gives_up", "fail_without_retry", "failure of gives_up in failed"),
    ],
)
def test_exceptions_choose_the_outcome(attempt: Attempt, task_id: str, outcome: str, callback: str) -> None:
    result = attempt(task_id, max_tries=5)

    assert result["outcome"] == outcome
    assert callback in "\n".join(attempt.lines()[0])


def test_a_task_that_asks_to_come_back_calls_nobody(attempt: Attempt) -> None:
    assert attempt("waits") == {"outcome": "reschedule", "until": "2026-01-02T00:00:00+00:00"}
    assert "success" not in "\n".join(attempt.lines()[0])


@pytest.mark.parametrize(
    ("task_id", "message"),
    [
        ("exits", "sys.exit(3) was called"),
        ("returns_object", "value is a builtins.object, which an XCom cannot hold"),
        ("bad_template", "task 'bad_template', field 'bash_command': UndefinedError: 'nothing' is undefined"),
        ("unheard_of", "DAG 'attempts' has no task 'unheard_of'"),
    ],
)
def test_a_failure_says_what_was_wrong(attempt: Attempt, task_id: str, message: str) -> None:
    result = attempt(task_id)

    assert result["outcome"] == "failed"
    assert message in result["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dag_id": DagId("other")}, "attempts.py defines no DAG 'other' in this process"),
        ({"work": BashWork(script="true")}, "wanted PythonWork"),
        ({"work": PythonWork(file="absent.py", callable="x")}, "No such file"),
    ],
)
def test_a_task_that_cannot_be_found_fails(attempt: Attempt, fields: dict[str, Any], message: str) -> None:
    result = attempt("first", **fields)

    assert result["outcome"] == "failed"
    assert message in result["error"]["message"]


def test_a_value_that_is_too_long_to_be_sent_is_a_failure_that_says_so(attempt: Attempt) -> None:
    result = attempt("returns_too_much")

    log = attempt.lines()[0]
    assert result["outcome"] == "failed"
    assert "what it returned is lost: 67,1" in result["error"]["message"]
    assert "let xcom.store keep large values" in "\n".join(log)
    assert "failure of returns_too_much in failed" in log[-1]
    assert max(len(line) for line in log) < 2 * MOST_CHARACTERS


def test_a_task_that_pushes_nothing_has_no_value(attempt: Attempt) -> None:
    assert attempt("keeps_it") == {"outcome": "success"}


def test_several_outputs_are_pushed_each_and_together(attempt: Attempt) -> None:
    attempt.server.xcoms["first", "return_value"] = [1, 2, 3]

    assert attempt("several") == {"outcome": "success", "value": {"count": 3, "total": 6}}
    assert attempt.server.xcoms["(running)", "total"] == 6
    assert attempt.server.rendered["op_args"] == [[1, 2, 3]]


def test_what_is_to_be_skipped_is_told(attempt: Attempt) -> None:
    assert attempt("branch") == {"outcome": "success", "value": "left", "skip": ["right"]}
    assert attempt("stop") == {"outcome": "success", "value": False, "skip": ["never"]}


def test_variables_connections_and_xcoms_go_through_the_socket(attempt: Attempt) -> None:
    server = attempt.server
    server.variables["bucket"] = "b"
    server.connections["db"] = {"conn_type": "mysql", "host": "h", "login": "me", "password": "p/w"}
    server.previous["prev_start_date_success"] = "2026-01-01T00:00:00+00:00"

    result = attempt("asks")

    assert result["value"][:2] == ["b", "mysql://me:p%2Fw@h"]
    assert result["value"][2] == {TAG: "datetime", "value": "2026-01-01T00:00:00+00:00"}
    assert server.xcoms["(running)", "seen"][TAG] == "set"
    assert server.variables["new"] == "v"


def test_a_refused_request_fails_the_task_with_its_reason(attempt: Attempt) -> None:
    attempt.server.refusals["rendered"] = "this try is fenced"

    assert attempt("bash")["error"]["message"].endswith("ChannelError: rendered: this try is fenced")


def test_a_sigterm_cleans_up_and_leaves_the_outcome_to_its_sender(attempt: Attempt) -> None:
    with pytest.raises(SystemExit) as exit_, attempt.server.channel() as channel:
        run_task.main(channel, {"assignment": _assignment("cleaning"), "bundle_root": DAGS, "token": "t"})

    out, _ = attempt.lines()
    assert exit_.value.code == 143
    assert attempt.server.result is None
    assert out[-1] == "INFO attempts - cleaned up"
    assert "swallowed" not in "\n".join(out)


def test_a_bash_task_that_gets_a_sigterm_cleans_up_and_is_heard(
    attempt: Attempt, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = ""

    def terminate_when_started() -> None:
        nonlocal heard
        while "waiting" not in heard:
            heard += capsys.readouterr().out
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate_when_started)
    with pytest.raises(SystemExit) as exit_, attempt.server.channel() as channel:
        thread.start()
        run_task.main(channel, {"assignment": _assignment("cleans_up"), "bundle_root": DAGS, "token": "t"})
    thread.join()

    assert exit_.value.code == 143
    # An echo into a pipe that nobody reads would have ended the trap at its first line.
    assert attempt.lines()[0][-2:] == ["cleaning up", "cleaned"]


def test_a_sigterm_at_the_execution_timeout_is_a_timeout(attempt: Attempt) -> None:
    result = attempt("overtime", execution_timeout=timedelta(seconds=1))

    out, _ = attempt.lines()
    assert result["outcome"] == "failed"
    assert result["error"]["type"] == "AirflowTaskTimeout"
    assert "INFO attempts - cleaned up" in out
    assert any("failure of overtime in failed" in line for line in out)


@pytest.mark.parametrize(
    ("state", "said"),
    [("success", "run manual__1 ended: all done"), ("failed", "RuntimeError: the callback is broken")],
)
def test_the_callbacks_of_a_run_are_called(attempt: Attempt, state: str, said: str) -> None:
    payload = {
        "bundle_root": DAGS,
        "file": "attempts.py",
        "dag_id": "attempts",
        "run_id": "manual__1",
        "state": state,
        "reason": "all done",
        "run": run_to_json(RUN),
    }

    with attempt.server.channel() as channel:
        callbacks.main(channel, payload)

    assert attempt.server.result == {}
    assert said in "\n".join(attempt.lines()[0])


def _assignment(task_id: str) -> dict[str, Any]:
    work = PythonWork(file="attempts.py", callable="x")
    return assignment_to_json(an_assignment(dag_id=DagId("attempts"), task_id=TaskId(task_id), work=work, run=RUN))
