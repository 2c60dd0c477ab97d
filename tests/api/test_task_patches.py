"""Notes on task instances, groups that end together, and many instances at once, over the API."""

from typing import Any

import pytest

from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

RUN = "/api/v2/dags/grouped/dagRuns/one"
GROUPS = {
    "id": None,
    "children": ["first", {"id": "g", "children": ["g.a", {"id": "g.deep", "children": ["g.deep.b"]}]}, "last"],
}


@pytest.fixture
async def grouped(cluster: Cluster) -> Cluster:
    """A run of first >> g (a, and b in a group of its own) >> last."""
    tasks = (
        a_task("first"),
        a_task("g.a", after=["first"]),
        a_task("g.deep.b", after=["first"]),
        a_task("last", after=["g.a", "g.deep.b"]),
    )
    await cluster.save(a_dag(*tasks, dag_id="grouped", file="grouped.py", presentation={"groups": GROUPS}))
    await cluster.start(await cluster.trigger("grouped"))
    return cluster


async def seen(cluster: Cluster) -> dict[str, tuple[str | None, str | None]]:
    """The state and the note of each task."""
    found = (await cluster.get(f"{RUN}/taskInstances"))["task_instances"]
    return {one["task_id"]: (one["state"], one["note"]) for one in found}


def tasks_of(answer: dict[str, Any]) -> list[str]:
    return sorted(one["task_id"] for one in answer["task_instances"])


async def test_a_note_changes_no_state_and_a_mask_says_what_is_meant(grouped: Cluster) -> None:
    task = f"{RUN}/taskInstances/first"

    await grouped.send("PATCH", task, {"note": "look here"})
    assert (await seen(grouped))["first"] == (None, "look here")
    await grouped.send("PATCH", f"{task}?update_mask=new_state", {"note": "not meant", "new_state": "success"})
    assert (await seen(grouped))["first"] == ("success", "look here")
    await grouped.send("PATCH", f"{task}/-1", {"note": None})
    assert (await seen(grouped))["first"] == ("success", None)


async def test_a_group_ends_together_with_the_groups_in_it(grouped: Cluster) -> None:
    group = f"{RUN}/taskGroupInstances/g"

    dry = await grouped.send("PATCH", f"{group}/dry_run", {"new_state": "success", "include_downstream": True})
    before = await seen(grouped)
    done = await grouped.send("PATCH", group, {"new_state": "success", "note": "by hand"})

    assert tasks_of(dry) == ["g.a", "g.deep.b", "last"]
    assert set(before.values()) == {(None, None)}
    assert tasks_of(done) == ["g.a", "g.deep.b"]
    assert await seen(grouped) == {
        "first": (None, None),
        "g.a": ("success", "by hand"),
        "g.deep.b": ("success", "by hand"),
        "last": (None, None),
    }


async def test_many_instances_are_changed_each_answered_for_itself(grouped: Cluster) -> None:
    answer = await grouped.send(
        "PATCH",
        f"{RUN}/taskInstances",
        {
            "actions": [
                {"action": "update", "entities": [{"task_id": "first", "new_state": "success"}]},
                {"action": "update", "entities": [{"task_id": "nope", "new_state": "success"}]},
                {
                    "action": "update",
                    "action_on_non_existence": "skip",
                    "entities": [
                        {"task_id": "g.a", "map_index": -1, "note": "n"},
                        {"task_id": "last", "map_index": 7, "note": "n"},
                    ],
                },
                {"action": "delete", "entities": ["last"]},
                {"action": "update", "entities": [{"task_id": "last"}]},
            ]
        },
    )

    assert answer["update"]["success"] == ["grouped.one.first", "grouped.one.g.a[-1]"]
    assert [error["status_code"] for error in answer["update"]["errors"]] == [404, 422]
    assert [error["status_code"] for error in answer["delete"]["errors"]] == [405]
    assert (await seen(grouped))["first"] == ("success", None)
    assert (await seen(grouped))["g.a"] == (None, "n")


async def test_a_clear_may_leave_a_note(grouped: Cluster) -> None:
    await grouped.send("PATCH", f"{RUN}/taskInstances/first", {"new_state": "failed"})
    body = {"dag_run_id": "one", "note": "again", "task_ids": ["first"]}

    await grouped.send("POST", "/api/v2/dags/grouped/clearTaskInstances", body)
    assert (await seen(grouped))["first"] == ("failed", None)
    await grouped.send("POST", "/api/v2/dags/grouped/clearTaskInstances", {**body, "dry_run": False})
    assert (await seen(grouped))["first"] == (None, "again")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("taskInstances/first", {}, 422),
        ("taskInstances/first", {"new_state": None}, 422),
        ("taskInstances/first", {"note": "x" * 1001}, 422),
        ("taskInstances/first?update_mask=colour", {"note": "x"}, 400),
        ("taskInstances/nope", {"note": "x"}, 404),
        ("taskInstances/first/5", {"note": "x"}, 404),
        ("taskGroupInstances/nope", {"new_state": "failed"}, 404),
        ("taskGroupInstances/g/dry_run", {"new_state": "running"}, 422),
    ],
)
async def test_what_is_not_as_wanted_changes_nothing(
    grouped: Cluster, path: str, body: dict[str, Any], status: int
) -> None:
    before = await seen(grouped)

    assert (await grouped.send("PATCH", f"{RUN}/{path}", body, status))["detail"]
    assert await seen(grouped) == before
