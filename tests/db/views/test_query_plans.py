"""Lists and counts that run often find their rows on an index of live or recent rows, never by reading history."""

from typing import Any

from sqlalchemy import event

from flowd.db.metastore import Metastore
from flowd.db.views.health import live_counts
from flowd.db.views.listing import Listing
from flowd.db.views.pools import list_pools
from flowd.db.views.recent import recent_runs


async def plans_of(metastore: Metastore, read: Any) -> list[str]:
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
    return [step for step in steps if "task_instance" in step or "dag_run" in step]


async def test_the_counts_for_metrics_read_indexes_of_live_rows(sqlite_metastore: Metastore) -> None:
    steps = await plans_of(sqlite_metastore, live_counts)

    assert steps and all("ix_task_instance_" in step or "ix_dag_run_live" in step for step in steps), steps


async def test_the_slots_of_pools_read_indexes_of_live_rows(sqlite_metastore: Metastore) -> None:
    steps = await plans_of(sqlite_metastore, lambda tx: list_pools(tx, Listing()))

    assert steps and all("ix_task_instance_" in step for step in steps), steps


async def test_the_last_runs_of_a_dag_are_found_on_their_index(sqlite_metastore: Metastore) -> None:
    steps = await plans_of(sqlite_metastore, lambda tx: recent_runs(tx, ["a", "b"], per_dag=3))

    assert steps and all("ix_dag_run_recent" in step for step in steps), steps
