"""What a task process says of a try that deferred itself, and how it goes on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowd.child import run_task
from flowd.domain.assignment import assignment_to_json
from flowd.domain.deferral import Resume
from flowd.domain.ids import DagId, TaskId
from flowd.domain.work import PythonWork
from flowd.sdk.dag_file import module_name
from flowd.sdk.xcom_json import to_json
from tests.support.specs import an_assignment
from tests.support.task_server import TaskServer

DAGS = str(Path(__file__).parent / "dags")
MOMENT = datetime(2100, 1, 1, tzinfo=UTC)


def attempt(task_id: str, resume: Resume | None = None, server: TaskServer | None = None) -> dict[str, Any]:
    server = server or TaskServer()
    assignment = an_assignment(
        dag_id=DagId("deferrals"),
        task_id=TaskId(task_id),
        work=PythonWork(file="deferrals.py", callable="x"),
        resume=resume,
    )
    with server.channel() as channel:
        run_task.main(channel, {"assignment": assignment_to_json(assignment), "bundle_root": DAGS, "token": "t"})
    assert server.result is not None
    return server.result


def test_a_moment_is_waited_for_without_a_trigger_and_its_event_is_known() -> None:
    result = attempt("moment")

    assert (result["outcome"], result["until"]) == ("deferred", MOMENT.isoformat())
    assert result["deferral"]["trigger"] is None
    otherwise = Resume(**result["deferral"]["otherwise"])
    assert otherwise == Resume(method="done", kwargs={"words": to_json({"a"})}, event=to_json(MOMENT))
    assert Resume(**attempt("ending")["deferral"]["otherwise"]).ends_as == "success"


def test_a_moment_after_the_timeout_is_a_timeout() -> None:
    result = attempt("too_late")

    left = datetime.fromisoformat(result["until"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert result["deferral"]["otherwise"]["is_timeout"]


def test_a_trigger_is_told_by_its_path_and_whether_it_is_in_the_dag_folder() -> None:
    own, library = attempt("own")["deferral"], attempt("library")["deferral"]

    assert own["trigger"] == {
        "classpath": f"{module_name('deferrals.py')}.OwnTrigger",
        "kwargs": {"when": to_json(MOMENT)},
        "file": "deferrals.py",
        "is_in_bundle": True,
    }
    assert own["otherwise"]["is_timeout"]
    assert library["trigger"]["classpath"] == "airflow.providers.standard.triggers.file.FileTrigger"
    assert not library["trigger"]["is_in_bundle"]


@pytest.mark.parametrize(
    ("task_id", "message"),
    [("opaque", "is a builtins.object, which an XCom cannot hold"), ("nowhere", "Deferring has no method 'nowhere'")],
)
def test_a_deferral_that_cannot_be_stored_is_a_failure(task_id: str, message: str) -> None:
    result = attempt(task_id)

    assert result["outcome"] == "failed" and message in result["error"]["message"]


def test_it_goes_on_at_the_method_with_the_event() -> None:
    result = attempt("own", Resume(method="done", kwargs={"words": to_json({"b", "a"})}, event=to_json(MOMENT)))

    assert result == {"outcome": "success", "value": [to_json(MOMENT), ["a", "b"]]}


@pytest.mark.parametrize(
    ("resume", "outcome", "error"),
    [
        (Resume(method="done", is_timeout=True), "failed", "TaskDeferralTimeout"),
        (Resume(method="done", failure="Traceback: x"), "failed", "TaskDeferralError"),
        (Resume(method="done", ends_as="skipped"), "skipped", "AirflowSkipException"),
        (Resume(method="done", ends_as="failed"), "fail_without_retry", "AirflowFailException"),
    ],
)
def test_otherwise_it_fails_or_ends(resume: Resume, outcome: str, error: str) -> None:
    result = attempt("own", resume)

    assert (result["outcome"], result["error"]["type"]) == (outcome, error)


def test_a_trigger_that_ends_it_leaves_its_xcoms() -> None:
    server = TaskServer()

    result = attempt("own", Resume(method="done", ends_as="success", xcoms={"rows": 3}), server)

    assert result == {"outcome": "success"}
    assert server.xcoms == {("(running)", "rows"): 3}
