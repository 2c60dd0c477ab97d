"""Lists and counts that run often find their rows on an index of live or recent rows, never by reading history."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event

from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.figures import read_figures
from flowd.db.views.listing import Listing, OneOf, Order, page, sortings
from flowd.db.views.overview import failing_dags
from flowd.db.views.pools import list_pools
from flowd.db.views.recent import recent_runs, runs_with
from flowd.db.views.runs import RUNS, list_runs, list_runs_at
from flowd.db.views.task_instances import INSTANCES, list_instances, list_instances_at

GROWING = ("task_instance", "dag_run")
A_SORT = "ORDER BY"
"""In how SQLite calls a sort of all that was found."""


async def plans_of(metastore: Metastore, read: Any, *, about: tuple[str, ...] = GROWING) -> list[str]:
    """The steps of SQLite's plans of every statement that `read` runs on task instances or runs."""
    statements: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        statements.append((statement, parameters))

    async with metastore.reading() as tx:
        engine = tx.connection.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            await read(tx)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        steps: list[str] = []
        for statement, parameters in statements:
            plan = await tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps += [row["detail"] for row in plan.mappings()]
    return [step for step in steps if any(word in step for word in about)]


@pytest.mark.parametrize("by_dag", [False, True])
async def test_the_figures_for_metrics_read_indexes_of_live_and_recent_rows(
    sqlite_metastore: Metastore, by_dag: bool
) -> None:
    steps = await plans_of(sqlite_metastore, lambda tx: read_figures(tx, by_dag=by_dag, most_pools=100))

    live = ("ix_task_instance_", "ix_dag_run_live", "ix_dag_run_lane", "ix_dag_run_ended")
    assert steps and all(any(index in step for index in live) for step in steps), steps


async def test_the_slots_of_pools_read_indexes_of_live_rows(sqlite_metastore: Metastore) -> None:
    steps = await plans_of(sqlite_metastore, lambda tx: list_pools(tx, Listing()))

    assert steps and all("ix_task_instance_" in step for step in steps), steps


async def test_the_last_runs_of_a_dag_are_found_on_their_index(sqlite_metastore: Metastore) -> None:
    steps = await plans_of(sqlite_metastore, lambda tx: recent_runs(tx, ["a", "b"], per_dag=3))

    assert steps and all("ix_dag_run_recent" in step for step in steps), steps


async def runs_behind(tx: Transaction, **listing: Any) -> None:
    """Read a page of the runs of a DAG that begins behind some row."""
    wanted = Listing(conditions=(OneOf("dag_id", ("etl",)),), **listing)
    signature = [f"{'-' if one.is_descending else ''}{one.field}" for one in wanted.order_by or RUNS.order_by]
    values = [1] * len(sortings(RUNS, wanted))
    cursor = base64.urlsafe_b64encode(json.dumps([signature, values, False]).encode()).decode()
    await list_runs_at(tx, DagCards(), wanted, cursor)


async def test_a_page_behind_a_cursor_begins_at_its_row_of_an_index(sqlite_metastore: Metastore) -> None:
    by_id = await plans_of(sqlite_metastore, runs_behind)
    latest = await plans_of(
        sqlite_metastore, lambda tx: runs_behind(tx, order_by=(Order("run_after", is_descending=True),))
    )

    assert "SEARCH dag_run USING INDEX ix_dag_run_dag (dag_id=? AND id>?)" in by_id[0], by_id
    assert "SEARCH dag_run USING INDEX ix_dag_run_recent (dag_id=? AND run_after<?)" in latest[0], latest


async def test_the_tasks_of_a_run_are_found_by_its_key(sqlite_metastore: Metastore) -> None:
    of_run = (OneOf("dag_id", ("etl",)), OneOf("run_id", ("r",)))
    for also in ((), (OneOf("task_id", ("t",)), OneOf("map_index", (-1,)))):
        listing = Listing(conditions=(*of_run, *also))
        steps = await plans_of(sqlite_metastore, lambda tx, wanted=listing: list_instances(tx, DagCards(), wanted))

        assert not any(step.startswith("SCAN task_instance") for step in steps), steps
        assert any("SEARCH task_instance USING INDEX sqlite_autoindex_task_instance_1 (run=?" in one for one in steps)


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        (OneOf("dag_id", ("etl",)), "ix_task_instance_dag (dag_id=?)"),
        (OneOf("state", ("failed",)), "ix_task_instance_unsuccessful (state=?)"),
        (OneOf("state", ("running",)), "ix_task_instance_lease"),
        (OneOf("state", ("deferred",)), "ix_task_instance_waiting"),
    ],
)
async def test_task_instances_of_a_dag_and_in_rare_states_are_found_by_an_index(
    sqlite_metastore: Metastore, condition: OneOf, index: str
) -> None:
    listing = Listing(conditions=(condition,), order_by=(Order("id", is_descending=True),))

    steps = await plans_of(sqlite_metastore, lambda tx: list_instances_at(tx, DagCards(), listing, ""))

    of_instances = [step for step in steps if "task_instance" in step]
    assert of_instances and all(index in step for step in of_instances), steps


async def test_task_instances_of_all_dags_are_read_in_the_order_of_their_keys(sqlite_metastore: Metastore) -> None:
    steps = await plans_of(sqlite_metastore, lambda tx: page(tx, INSTANCES, Listing()), about=(*GROWING, A_SORT))

    # The table itself is in that order, in SQLite.
    assert steps[0] == "SCAN task_instance" and not any(A_SORT in step for step in steps), steps


async def test_what_no_index_orders_is_sorted_without_what_it_is_joined_with(sqlite_metastore: Metastore) -> None:
    listing = Listing(order_by=(Order("start_date", is_descending=True),))

    steps = await plans_of(sqlite_metastore, lambda tx: page(tx, INSTANCES, listing), about=("",))

    of_keys, of_rows = steps[: (sort := steps.index("USE TEMP B-TREE FOR ORDER BY")) + 1], steps[sort + 1 :]
    assert [step for step in of_keys if step.startswith(("SCAN", "SEARCH"))] == ["SCAN task_instance"], steps
    assert any(step.startswith("SEARCH task_instance USING INTEGER PRIMARY KEY") for step in of_rows), steps


@pytest.mark.parametrize("is_descending", [False, True])
async def test_the_latest_runs_of_all_dags_are_found_on_their_index(
    sqlite_metastore: Metastore, is_descending: bool
) -> None:
    listing = Listing(order_by=(Order("run_after", is_descending=is_descending),))

    steps = await plans_of(sqlite_metastore, lambda tx: page(tx, RUNS, listing), about=(*GROWING, A_SORT))

    assert steps == ["SCAN dag_run USING INDEX ix_dag_run_run_after"]


async def test_failed_runs_of_all_dags_are_found_by_an_index(sqlite_metastore: Metastore) -> None:
    listing = Listing(conditions=(OneOf("state", ("failed",)),))

    steps = await plans_of(sqlite_metastore, lambda tx: list_runs(tx, DagCards(), listing))

    assert len(steps) == 2 and all("INDEX ix_dag_run_failed" in step for step in steps), steps


async def test_live_runs_are_found_by_an_index(sqlite_metastore: Metastore) -> None:
    listing = Listing(conditions=(OneOf("state", ("running",)),), order_by=(Order("id", is_descending=True),))

    steps = await plans_of(sqlite_metastore, lambda tx: list_runs_at(tx, DagCards(), listing, ""))

    assert steps and all("ix_dag_run_l" in step for step in steps), steps


async def test_the_dags_that_fail_are_found_among_the_runs_that_ended_lately(sqlite_metastore: Metastore) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)

    steps = await plans_of(sqlite_metastore, lambda tx: failing_dags(tx, since=since, limit=6))

    assert "SEARCH dag_run USING INDEX ix_dag_run_ended (ended_at>?)" in steps, steps


async def test_runs_are_searched_by_their_whole_id_and_among_the_latest(sqlite_metastore: Metastore) -> None:
    steps = await plans_of(sqlite_metastore, lambda tx: runs_with(tx, "manual__2026", most=8))

    by_id = [step for step in steps if "dag_id=? AND run_id=?" in step]
    by_key = [step for step in steps if "USING INTEGER PRIMARY KEY (rowid>?)" in step]
    assert by_id and by_key and not [step for step in steps if step.startswith("SCAN dag_run") and "INDEX" not in step]
