"""Filters, order and pages of lists: one way for all of them, on both databases."""

from typing import Any

import pytest

from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task


async def save_letters(cluster: Cluster) -> None:
    """DAGs alpha, beta, BETA_2 and gamma beside `etl`."""
    await cluster.save(*(a_dag(a_task("t"), dag_id=name, file=f"{name}.py") for name in ("alpha", "beta", "BETA_2")))
    await cluster.save(a_dag(a_task("t"), dag_id="gamma", file="gamma.py"), is_paused=True)


async def ids(cluster: Cluster, **params: Any) -> list[str]:
    return [dag["dag_id"] for dag in (await cluster.get("/api/v2/dags", **params))["dags"]]


async def test_pages_follow_each_other_and_the_total_counts_them_all(either: Cluster) -> None:
    await save_letters(either)

    first = await either.get("/api/v2/dags", limit=2, order_by="dag_id")
    second = await either.get("/api/v2/dags", limit=2, offset=2, order_by="dag_id")

    names = [dag["dag_id"] for dag in first["dags"] + second["dags"]]
    assert names == ["BETA_2", "alpha", "beta", "etl"]
    assert first["total_entries"] == second["total_entries"] == 5


async def test_a_minus_descends_and_several_orders_are_taken_in_turn(either: Cluster) -> None:
    await save_letters(either)

    assert await ids(either, order_by="-dag_id") == ["gamma", "etl", "beta", "alpha", "BETA_2"]
    assert (await ids(either, order_by=["-is_paused", "dag_id"]))[:2] == ["gamma", "BETA_2"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"dag_id_pattern": "beta"}, ["BETA_2", "beta"]),
        ({"dag_id_pattern": "%ET_"}, ["BETA_2", "beta", "etl"]),
        ({"dag_id_pattern": "ALPHA|gamm"}, ["alpha", "gamma"]),
        ({"dag_id_pattern": "~", "limit": 1}, ["BETA_2"]),
        ({"dag_id_prefix_pattern": "bet"}, ["beta"]),
        ({"dag_id_prefix_pattern": "b%"}, []),
        ({"paused": "true"}, ["gamma"]),
        ({"paused": "false", "dag_id_pattern": "gamma|etl"}, ["etl"]),
        ({"limit": 0}, []),
        ({"unknown_parameter": "x", "limit": 1}, ["BETA_2"]),
        ({"tags": "daily"}, ["etl"]),
        ({"tags": ["daily", "no"], "tags_match_mode": "all"}, []),
        ({"tags": ["daily", "no"], "tags_match_mode": "any"}, ["etl"]),
        ({"owners": "ada"}, ["etl"]),
        ({"dag_display_name_pattern": "the e"}, ["etl"]),
    ],
)
async def test_filters_select(either: Cluster, params: dict[str, Any], expected: list[str]) -> None:
    await save_letters(either)

    assert await ids(either, **({"order_by": "dag_id"} | params)) == expected


@pytest.mark.parametrize(
    ("path", "params", "where"),
    [
        ("dags", {"limit": -1}, ["query", "limit"]),
        ("dags", {"offset": "x"}, ["query", "offset"]),
        ("dags", {"paused": "maybe"}, ["query", "paused"]),
        ("dags", {"tags_match_mode": "some"}, ["query", "tags_match_mode"]),
        ("dags/~/dagRuns", {"state": "sleeping"}, ["query", "state"]),
        ("dags/~/dagRuns", {"run_after_gte": "yesterday"}, ["query", "run_after_gte"]),
        ("dags/~/dagRuns", {"run_after_gte": "0001-01-01T00:00:00+14:00"}, ["query", "run_after_gte"]),
        ("assets/1/queuedEvents", {"before": "9999-12-31T23:59:59-14:00"}, ["query", "before"]),
        ("dags/~/dagRuns", {"duration_gt": "nan"}, ["query", "duration_gt"]),
        ("dags/~/dagRuns", {"dag_version": "1e400"}, ["query", "dag_version"]),
        ("dags/~/dagRuns", {"dag_version": "9" * 30}, ["query", "dag_version"]),
    ],
)
async def test_a_value_of_the_wrong_type_is_422_and_names_itself(
    cluster: Cluster, path: str, params: dict[str, Any], where: list[str]
) -> None:
    answer = await cluster.get(f"/api/v2/{path}", 422, **params)

    (problem,) = answer["detail"]
    assert problem["loc"] == where
    assert problem["input"] == str(next(iter(params.values())))
    assert {"type", "loc", "msg", "input"} == set(problem)


async def test_an_unknown_field_to_order_by_is_400_and_the_known_ones_are_named(cluster: Cluster) -> None:
    answer = await cluster.get("/api/v2/dags", 400, order_by="-colour")

    assert answer["detail"].startswith("Ordering with 'colour' is disallowed or the attribute does not exist")
    assert "dag_id" in answer["detail"]


async def test_no_page_is_longer_than_100(cluster: Cluster) -> None:
    await cluster.save(*(a_dag(a_task("t"), dag_id=f"d{number}", file="many.py") for number in range(101)))

    answer = await cluster.get("/api/v2/dags", limit=1000)

    assert (len(answer["dags"]), answer["total_entries"]) == (100, 102)


async def test_dates_bound_a_list_on_either_side(either: Cluster) -> None:
    for run_id in ("a", "b", "c"):
        await either.trigger(run_id=run_id)
    runs = (await either.get("/api/v2/dags/etl/dagRuns", order_by="run_after"))["dag_runs"]
    middle = runs[1]["run_after"]

    async def between(**params: Any) -> list[str]:
        return [run["dag_run_id"] for run in (await either.get("/api/v2/dags/~/dagRuns", **params))["dag_runs"]]

    assert await between(run_after_gte=middle) == ["b", "c"]
    assert await between(run_after_gt=middle) == ["c"]
    assert await between(run_after_lte=middle) == ["a", "b"]
    assert await between(run_after_lt=middle) == ["a"]


async def test_rows_without_a_value_come_last_whichever_way_a_list_is_ordered(either: Cluster) -> None:
    await either.trigger(run_id="waits")
    await either.start(await either.trigger(run_id="runs"))

    for order in ("start_date", "-start_date"):
        runs = (await either.get("/api/v2/dags/etl/dagRuns", order_by=order))["dag_runs"]
        assert [run["dag_run_id"] for run in runs] == ["runs", "waits"]
