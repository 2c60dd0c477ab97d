"""ti: XComs by task and map index, and the page of its log."""

from typing import Any

import pytest

from flowd import DAG, EmptyOperator
from flowd.domain.ids import RunId, TaskId
from flowd.sdk.context import context_of
from flowd.sdk.supervisor import supervised_by
from flowd.sdk.task_instance import RunningTaskInstance
from tests.support.specs import an_assignment


class Pulled:
    """A supervisor that answers every pull with the same entries, (task id, map index, value)."""

    def __init__(self, *entries: tuple[str, int, Any]) -> None:
        self.entries = [{"task_id": t, "map_index": i, "run_id": "r", "value": value} for t, i, value in entries]
        self.asked: dict[str, Any] = {}

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        self.asked = fields
        return {"entries": self.entries}


def ti(**fields: Any) -> RunningTaskInstance:
    with DAG("etl"):
        task = EmptyOperator(task_id="load")
    instance: RunningTaskInstance = context_of(an_assignment(task_id=TaskId("load"), **fields), task)["ti"]
    return instance


@pytest.mark.parametrize(
    ("entries", "arguments", "value"),
    [
        ([("a", -1, 1)], {"task_ids": "a"}, 1),
        ([], {"task_ids": "a"}, None),
        ([], {"task_ids": "a", "default": 0}, 0),
        ([("a", 1, "y"), ("a", 0, "x")], {"task_ids": "a"}, ["x", "y"]),
        ([("a", 0, "x")], {"task_ids": "a"}, ["x"]),
        ([("a", 1, "y")], {"task_ids": "a", "map_indexes": 1}, "y"),
        ([("a", 0, "x"), ("a", 2, "z")], {"task_ids": "a", "map_indexes": [0, 2]}, ["x", "z"]),
        ([("b", -1, 2), ("a", -1, 1)], {"task_ids": ["a", "b"]}, [1, 2]),
        ([("b", -1, 2)], {"task_ids": ("a", "b")}, [None, 2]),
        ([("a", -1, 1), ("b", -1, 2)], {"key": "k"}, 2),
        ([], {"key": "k", "default": 5}, 5),
    ],
)
def test_what_was_pushed_is_pulled(entries: Any, arguments: dict[str, Any], value: Any) -> None:
    with supervised_by(Pulled(*entries)):
        assert ti().xcom_pull(**arguments) == value


def test_what_is_asked_for_is_told() -> None:
    with supervised_by(server := Pulled()):
        ti().xcom_pull("a", "other", "k", True, map_indexes=(0, 1), run_id="r1")

    assert server.asked == {
        "task_ids": ["a"],
        "dag_id": "other",
        "key": "k",
        "include_prior_dates": True,
        "map_indexes": [0, 1],
        "run_id": "r1",
    }


def test_the_log_has_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWD_API_URL", "https://flowd.example/")

    url = ti(run_id=RunId("scheduled__2026-01-01T00:00:00+00:00"), map_index=2, try_number=3).log_url

    assert url == (
        "https://flowd.example/dags/etl/runs/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/load/mapped/2"
        "?try_number=3"
    )
