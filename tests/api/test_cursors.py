"""Lists paged by a cursor: every row once and in order, forwards and backwards, on each database."""

import base64
import json
from typing import Any

import pytest

from tests.api.cluster import Cluster

RUNS = "/api/v2/dags/etl/dagRuns"
ORDERS = ("", "id", "-id", "run_after", "-run_after", "start_date", "-start_date", "state", "-duration", "dag_run_id")


async def many(cluster: Cluster) -> None:
    """Seven runs: some begun, one failed, the others queued, so that some dates are null and some states alike."""
    for number in range(7):
        run = await cluster.trigger(run_id=f"r{number}")
        if number % 2:
            await cluster.start(run)
    await cluster.send("PATCH", f"{RUNS}/r3", {"state": "failed"})


def ids(page: dict[str, Any]) -> list[str]:
    return [run["dag_run_id"] for run in page["dag_runs"]]


@pytest.mark.parametrize("order_by", ORDERS)
async def test_a_cursor_meets_every_row_once_in_the_order_of_the_offsets_and_back(
    either: Cluster, order_by: str
) -> None:
    await many(either)
    params: dict[str, Any] = {"order_by": order_by} if order_by else {}
    whole = ids(await either.get(RUNS, **params))

    pages = [await either.get(RUNS, cursor="", limit=3, **params)]
    while (following := pages[-1]["next_cursor"]) is not None:
        pages.append(await either.get(RUNS, cursor=following, limit=3, **params))
    back = [pages[-1]]
    while (previous := back[-1]["previous_cursor"]) is not None:
        back.append(await either.get(RUNS, cursor=previous, limit=3, **params))

    assert [ids(page) for page in pages] == [whole[:3], whole[3:6], whole[6:]]
    assert [ids(page) for page in back] == [whole[6:], whole[3:6], whole[:3]]
    assert back[-1]["next_cursor"] is not None
    assert {(page["total_entries"], page["total_entries_limit"]) for page in pages} == {(7, 10_000)}


async def test_filters_hold_behind_a_cursor_and_what_comes_meanwhile_moves_nothing(either: Cluster) -> None:
    await many(either)

    first = await either.get(RUNS, cursor="", limit=2, state="queued", order_by="-id")
    await either.trigger(run_id="late")
    second = await either.get(RUNS, cursor=first["next_cursor"], limit=2, state="queued", order_by="-id")

    assert (ids(first), ids(second)) == (["r6", "r4"], ["r2", "r0"])
    assert second["next_cursor"] is None


async def test_task_instances_are_paged_alike(cluster: Cluster) -> None:
    await many(cluster)
    path = "/api/v2/dags/~/dagRuns/~/taskInstances"

    first = await cluster.get(path, cursor="", limit=4, order_by=["task_id", "-run_after"])
    second = await cluster.get(path, cursor=first["next_cursor"], limit=4, order_by=["task_id", "-run_after"])

    found = [(one["task_id"], one["dag_run_id"]) for page in (first, second) for one in page["task_instances"]]
    assert found == [(task, run) for task in ("extract", "load") for run in ("r5", "r3", "r1")]


def forged(*document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        forged(),
        forged(["id"], [2**70], False),
        forged(["id"], ["1"], False),
        forged(["id"], [None], False),
        forged(["id"], [1, 2], False),
        forged(["-id"], [1], False),
        forged(["id"], [1], "back"),
        forged(["id"], [True], False),
    ],
)
async def test_a_cursor_that_is_none_of_this_list_is_refused(cluster: Cluster, cursor: str) -> None:
    assert "cursor" in (await cluster.get(RUNS, 400, cursor=cursor))["detail"]


async def test_a_page_of_nothing_has_no_cursors(cluster: Cluster) -> None:
    empty = await cluster.get(RUNS, cursor="")
    await many(cluster)
    none = await cluster.get(RUNS, cursor="", limit=0)

    for page in (empty, none):
        assert (page["dag_runs"], page["next_cursor"], page["previous_cursor"]) == ([], None, None)
    assert none["total_entries"] == 7
