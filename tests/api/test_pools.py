"""Pools over the API."""

from typing import Any

import pytest

from tests.api.cluster import Cluster

POOLS = "/api/v2/pools"


async def test_a_pool_is_made_changed_and_removed(either: Cluster) -> None:
    made = await either.send("POST", POOLS, {"name": "db/main", "slots": 3, "description": "one at a time"}, 201)
    changed = await either.send("PATCH", f"{POOLS}/db/main?update_mask=slots", {"slots": -1})

    assert (made["slots"], made["open_slots"], made["include_deferred"]) == (3, 3, False)
    assert (changed["slots"], changed["open_slots"], changed["description"]) == (-1, -1, "one at a time")
    assert [pool["name"] for pool in (await either.get(POOLS))["pools"]] == ["db/main", "default_pool"]
    assert await either.send("DELETE", f"{POOLS}/db/main", None, 204) is None
    assert (await either.get(f"{POOLS}/db/main", 404))["detail"] == "The Pool with name: `db/main` was not found"


async def test_a_pool_tells_what_is_in_it(either: Cluster) -> None:
    instances = await either.start(await either.trigger())
    await either.claim(instances["extract"])

    pool = await either.get(f"{POOLS}/default_pool")

    assert (pool["running_slots"], pool["occupied_slots"], pool["queued_slots"]) == (1, 1, 0)
    assert pool["open_slots"] == pool["slots"] - 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {"name": "default_pool", "slots": 1}, 409),
        ("POST", "", {"name": "p", "slots": -2}, 422),
        ("POST", "", {"name": "", "slots": 1}, 422),
        ("POST", "", {"name": "p", "slots": 2**40}, 422),
        ("POST", "", {"name": "p", "slots": 1, "colour": "red"}, 422),
        ("PATCH", "/default_pool", {"slots": 1}, 422),
        ("PATCH", "/default_pool?update_mask=slots", {"slots": 1, "pool": "other"}, 400),
        ("PATCH", "/default_pool?update_mask=colour", {"slots": 1}, 400),
        ("PATCH", "/nope?update_mask=slots", {"slots": 1}, 404),
        ("DELETE", "/default_pool", None, 400),
        ("DELETE", "/nope", None, 404),
    ],
)
async def test_what_is_not_as_wanted_is_refused(
    cluster: Cluster, method: str, path: str, body: Any, status: int
) -> None:
    answer = await cluster.send(method, f"{POOLS}{path}", body, status)

    assert answer["detail"]
    assert [pool["name"] for pool in (await cluster.get(POOLS))["pools"]] == ["default_pool"]
