"""XComs that people leave, change and delete over the API."""

from typing import Any

import pytest

from tests.api.cluster import Cluster

XCOMS = "/api/v2/dags/etl/dagRuns/one/taskInstances/extract/xcomEntries"

REFERENCE = {"__flowd__": "stored", "value": {"url": "https://internal/"}}


async def test_an_xcom_is_left_changed_and_deleted(either: Cluster) -> None:
    await either.start(await either.trigger())

    made = await either.send("POST", XCOMS, {"key": "a/b", "value": [1, {"x": None}]}, 201)
    changed = await either.send("PATCH", f"{XCOMS}/a/b", {"value": "two"})

    assert (made["key"], made["value"], made["task_id"], made["map_index"]) == ("a/b", [1, {"x": None}], "extract", -1)
    assert changed["value"] == (await either.get(f"{XCOMS}/a/b"))["value"] == "two"
    await either.send("DELETE", f"{XCOMS}/a/b", None, 204)
    assert (await either.get(XCOMS))["total_entries"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", XCOMS, {"key": "return_value", "value": 1}, 409, "already exists"),
        ("POST", XCOMS, {"key": "", "value": 1}, 422, "at least 1 character"),
        ("POST", XCOMS, {"key": "k"}, 422, "Field required"),
        ("POST", XCOMS, {"key": "k", "value": [{"a": REFERENCE}]}, 400, "made by tasks alone; give the value itself"),
        ("PATCH", f"{XCOMS}/return_value", {"value": REFERENCE}, 400, "made by tasks alone; give the value itself"),
        ("POST", XCOMS, {"key": "k", "value": 1, "map_index": 4}, 404, "was not found"),
        ("POST", XCOMS.replace("extract", "nope"), {"key": "k", "value": 1}, 404, "was not found"),
        ("PATCH", f"{XCOMS}/nope", {"value": 1}, 404, "doesn't exist"),
        ("DELETE", f"{XCOMS}/nope", None, 404, "doesn't exist"),
    ],
)
async def test_what_is_not_as_wanted_changes_nothing(
    cluster: Cluster, method: str, path: str, body: Any, status: int, said: str
) -> None:
    instances = await cluster.start(await cluster.trigger())
    await cluster.succeed(instances["extract"], {"rows": 3})

    answer = await cluster.send(method, path, body, status)

    assert said in str(answer["detail"])
    (only,) = (await cluster.get(XCOMS))["xcom_entries"]
    assert only["key"] == "return_value"
    assert (await cluster.get(f"{XCOMS}/return_value"))["value"] == {"rows": 3}
