"""The names of map indexes: rendered before a task executes where that can be, and anew when it has ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowd.child import run_task
from flowd.domain.assignment import assignment_to_json
from flowd.domain.ids import DagId, TaskId
from flowd.domain.work import PythonWork
from flowd.sdk import secret_values
from tests.support.specs import an_assignment
from tests.support.task_server import TaskServer

DAGS = str(Path(__file__).parent / "dags")

Attempt = Callable[..., dict[str, Any]]


@pytest.fixture
def server() -> TaskServer:
    return TaskServer()


@pytest.fixture
def attempt(server: TaskServer, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    monkeypatch.setattr(secret_values, "_known", set())

    def attempt(task_id: str, map_index: int = 0) -> dict[str, Any]:
        work = PythonWork(file="map_names.py", callable="x")
        assignment = an_assignment(dag_id=DagId("map_names"), task_id=TaskId(task_id), work=work, map_index=map_index)
        with server.channel() as channel:
            payload = {"assignment": assignment_to_json(assignment), "bundle_root": DAGS, "token": "t"}
            run_task.main(channel, payload)
        assert server.result is not None
        return server.result

    return attempt


@pytest.mark.parametrize(
    ("map_index", "outcome", "end"), [(0, "success", "well"), (1, "failed", "fails"), (2, "skipped", "skips")]
)
def test_what_a_task_puts_into_its_context_names_its_map_index_however_it_ends(
    attempt: Attempt, server: TaskServer, map_index: int, outcome: str, end: str
) -> None:
    result = attempt("names", map_index)

    assert result["outcome"] == outcome
    assert result["rendered_map_index"].endswith(f" own {end}")
    assert server.rendered_map_index is None


def test_a_name_that_needs_nothing_of_the_task_is_told_before_it_executes(attempt: Attempt, server: TaskServer) -> None:
    result = attempt("bash")

    assert (server.rendered_map_index, result["rendered_map_index"]) == ("true", "true")


def test_a_name_that_cannot_be_rendered_fails_the_task_and_hides_no_other_failure(attempt: Attempt) -> None:
    hidden, own = attempt("unknown", 1), attempt("unknown", 0)

    assert (hidden["outcome"], own["outcome"]) == ("failed", "failed")
    assert "task 'unknown', map_index_template: UndefinedError: 'nobody' is undefined" in hidden["error"]["message"]
    assert own["error"]["message"] == "ValueError: the task's own error"
    assert "rendered_map_index" not in own


@pytest.mark.parametrize(("task_id", "name"), [("number", "7"), ("long", "ab" * 125), ("empty", None)])
def test_a_name_is_a_text_of_at_most_250_characters(attempt: Attempt, task_id: str, name: str | None) -> None:
    result = attempt(task_id, -1)

    assert result["outcome"] == "success"
    assert result.get("rendered_map_index") == name


def test_a_name_shows_no_secret(attempt: Attempt, server: TaskServer) -> None:
    server.variables["api_key"] = "kkkk1"

    assert attempt("secretive", -1)["rendered_map_index"] == "of ***"
