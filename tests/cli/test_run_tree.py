"""The tree of a run on a terminal: groups, signs, mapped tasks in one line, and what there is no room for."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from flowd.cli.run_tree import run_tree
from flowd.domain.states import TaskState

RUN = {"dag_id": "etl", "dag_run_id": "one", "state": "running", "duration": 4.25}


def an_instance(task_id: str, state: str | None, map_index: int = -1, **more: Any) -> dict[str, Any]:
    is_over = state in ("success", "failed", "skipped", "upstream_failed", "removed")
    ended = {"end_date": "2026-01-01T00:00:00Z", "duration": 1.5} if is_over else {"end_date": None, "duration": None}
    return {"task_id": task_id, "map_index": map_index, "state": state, "try_number": 1, **ended, **more}


def drawn(task_ids: Sequence[str], *instances: dict[str, Any], room: int = 50) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    console.print(run_tree(RUN, task_ids, instances, room=room))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_tasks_stand_in_their_groups_with_their_states() -> None:
    assert drawn(
        ["extract", "clean.orders", "clean.deep.rates", "load"],
        an_instance("extract", "success"),
        an_instance("clean.orders", "failed", try_number=3),
        an_instance("clean.deep.rates", "running"),
        an_instance("load", None),
    ) == [
        "etl one: running, 2 of 4 ended, 4.2 s",
        "├── ✓ extract: success in 1.50 s",
        "├── clean",
        "│   ├── ✗ orders: failed (try 3) in 1.50 s",
        "│   └── deep",
        "│       └── ▶ rates: running",
        "└── · load",
    ]


def test_a_mapped_task_is_one_line_with_the_sign_of_what_matters_most() -> None:
    instances = [an_instance("m", "success", number) for number in range(3)]
    instances.append(an_instance("m", "failed", 3))

    assert drawn(["m"], *instances)[1:] == ["└── ✗ m [4]: 3 success, 1 failed"]


def test_a_run_that_has_no_instances_yet_shows_its_tasks() -> None:
    assert drawn(["a", "b"]) == ["etl one: running, 0 of 0 ended, 4.2 s", "├── · a", "└── · b"]


def test_where_there_is_no_room_what_runs_and_fails_comes_first_and_the_rest_is_counted() -> None:
    names = [f"t{number}" for number in range(10)]
    states = ["success"] * 6 + ["running", "failed", None, None]

    lines = drawn(names, *map(an_instance, names, states), room=4)

    assert lines[1:] == [
        "├── ✓ t0: success in 1.50 s",
        "├── ▶ t6: running",
        "├── ✗ t7: failed in 1.50 s",
        "└── … 7 more: 5 success, 2 none",
    ]


def test_what_the_file_has_no_more_is_shown_at_the_end() -> None:
    assert drawn(["a"], an_instance("gone", "removed"), an_instance("a", "queued"))[1:] == [
        "├── ■ a: queued",
        "└── – gone: removed in 1.50 s",
    ]


def test_brackets_in_names_are_no_markup() -> None:
    assert "[red]" in drawn(["x[red]"])[1]


@pytest.mark.parametrize("state", [state for state in TaskState if state is not TaskState.NONE])
def test_every_state_has_a_sign_of_its_own(state: TaskState) -> None:
    assert drawn(["t"], an_instance("t", state.value))[1][4] not in "·?"
