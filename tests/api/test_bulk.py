"""Bulk changes of pools, variables and connections: each thing is answered for itself."""

from typing import Any

import pytest

from tests.api.cluster import Cluster

NOUNS: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "pools": ("name", {"slots": 1}, {"slots": 2}, "pools"),
    "variables": ("key", {"value": "1"}, {"value": "2"}, "variables"),
    "connections": (
        "connection_id",
        {"conn_type": "http", "host": "a"},
        {"conn_type": "http", "host": "b"},
        "connections",
    ),
}


async def bulk(cluster: Cluster, noun: str, *actions: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = await cluster.send("PATCH", f"/api/v2/{noun}", {"actions": list(actions)})
    return answer


async def names(cluster: Cluster, noun: str) -> list[str]:
    found = (await cluster.op.get(f"/api/v2/{noun}")).json()
    return [one[NOUNS[noun][0]] for one in found[noun] if one[NOUNS[noun][0]] != "default_pool"]


@pytest.mark.parametrize("noun", NOUNS)
async def test_things_are_made_changed_and_removed(cluster: Cluster, noun: str) -> None:
    key, first, second, _ = NOUNS[noun]
    a, b = {key: "a", **first}, {key: "b", **first}

    made = await bulk(cluster, noun, {"action": "create", "entities": [a, b]})
    changed = await bulk(cluster, noun, {"action": "update", "entities": [{key: "a", **second}]})

    assert made == {"create": {"success": ["a", "b"], "errors": []}, "update": None, "delete": None}
    assert changed["update"]["success"] == ["a"]
    stored = (await cluster.op.get(f"/api/v2/{noun}/a")).json()
    assert {name: stored[name] for name in second} == second
    both = await bulk(
        cluster,
        noun,
        {"action": "delete", "entities": ["a"]},
        {"action": "create", "entities": [{key: "c", **first}]},
    )
    assert (both["delete"]["success"], both["create"]["success"]) == (["a"], ["c"])
    assert await names(cluster, noun) == ["b", "c"]


@pytest.mark.parametrize("noun", NOUNS)
async def test_what_exists_fails_the_action_or_is_skipped_or_taken_the_place_of(cluster: Cluster, noun: str) -> None:
    key, first, second, _ = NOUNS[noun]
    old, new = {key: "old", **second}, {key: "new", **first}
    await bulk(cluster, noun, {"action": "create", "entities": [{key: "old", **first}]})

    failed = await bulk(cluster, noun, {"action": "create", "entities": [new, old]})
    assert failed["create"]["success"] == []
    (error,) = failed["create"]["errors"]
    assert error["status_code"] == 409 and "'old' already exist" in error["error"]
    assert await names(cluster, noun) == ["old"]

    skip = {"action": "create", "action_on_existence": "skip", "entities": [new, old]}
    assert (await bulk(cluster, noun, skip))["create"]["success"] == ["new"]
    overwrite = {"action": "create", "action_on_existence": "overwrite", "entities": [old]}
    assert (await bulk(cluster, noun, overwrite))["create"]["success"] == ["old"]
    stored = (await cluster.op.get(f"/api/v2/{noun}/old")).json()
    assert {name: stored[name] for name in second} == second


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("action", ["update", "delete"])
async def test_what_does_not_exist_fails_the_action_or_is_skipped(cluster: Cluster, noun: str, action: str) -> None:
    key, first, second, _ = NOUNS[noun]
    await bulk(cluster, noun, {"action": "create", "entities": [{key: "a", **first}]})
    asked = {"action": action, "entities": [{key: "a", **second}, {key: "gone", **second}]}

    failed = await bulk(cluster, noun, asked)
    skipped = await bulk(cluster, noun, {**asked, "action_on_non_existence": "skip"})

    (error,) = failed[action]["errors"]
    assert (error["status_code"], failed[action]["success"]) == (404, [])
    assert "'gone' were not found" in error["error"]
    assert skipped[action] == {"success": ["a"], "errors": []}


async def test_one_thing_that_fails_holds_up_no_other(cluster: Cluster) -> None:
    answer = await bulk(
        cluster, "pools", {"action": "create", "entities": [{"name": "p", "slots": 1}]},
        {"action": "delete", "entities": ["default_pool", "p"]},
    )  # fmt: skip

    assert answer["delete"] == {
        "success": ["p"],
        "errors": [{"error": "Default Pool can't be deleted", "status_code": 400}],
    }


async def test_a_mask_keeps_the_rest_as_it_is(cluster: Cluster) -> None:
    pool = {"name": "p", "slots": 1, "description": "before"}
    await bulk(cluster, "pools", {"action": "create", "entities": [pool]})

    update = {"action": "update", "update_mask": ["slots"], "entities": [{**pool, "slots": 5, "description": "x"}]}
    await bulk(cluster, "pools", update)
    wrong = await bulk(cluster, "pools", {**update, "update_mask": ["colour"]})

    stored = await cluster.get("/api/v2/pools/p")
    assert (stored["slots"], stored["description"]) == (5, "before")
    assert wrong["update"]["errors"][0]["status_code"] == 400


@pytest.mark.parametrize("action", [{"action": "paint", "entities": []}, {"action": "create"}, {"entities": []}])
async def test_an_action_that_there_is_not_is_refused(cluster: Cluster, action: dict[str, Any]) -> None:
    assert (await cluster.send("PATCH", "/api/v2/variables", {"actions": [action]}, 422))["detail"]
