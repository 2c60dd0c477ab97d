"""A history cloned from one run: each copy is a whole run of its own, in its own past, and in nobody's way."""

import asyncio
from datetime import UTC, datetime

import pytest

from bench.history.clone import SPACING, clone_runs
from flowd.db import xcoms
from flowd.db.tables import metadata
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

COPIES = 7
HANGING = ("task_instance", "task_transition", "run_transition", "attempt", "xcom")


async def _counts(site: LedgerSite) -> dict[str, int]:
    return {
        table.name: (await site.rows(f"SELECT count(*) FROM {table.name}"))[0][0] for table in metadata.sorted_tables
    }


async def test_a_copy_has_everything_that_hangs_on_the_run_it_was_made_of(site: LedgerSite, metastore_url: str) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after="a")))
    await site.work()
    async with site.metastore.transaction() as tx:
        await xcoms.push(tx, [((await site.instance(run, "a")).key, "return_value", 1)], datetime.now(UTC))
    before = await _counts(site)

    await asyncio.to_thread(clone_runs, metastore_url, "etl", copies=COPIES)

    after = await _counts(site)
    for name in ("dag_run", *HANGING):
        assert before[name] > 0 and after[name] == before[name] * (1 + COPIES), name
    assert {name: after[name] for name in after if name not in ("dag_run", *HANGING)} == {
        name: before[name] for name in before if name not in ("dag_run", *HANGING)
    }


async def test_copies_lie_one_behind_the_other_and_each_as_long_as_the_run_was(
    site: LedgerSite, metastore_url: str
) -> None:
    await site.begin(a_dag(a_task("a")))
    await site.work()

    await asyncio.to_thread(clone_runs, metastore_url, "etl", copies=COPIES)

    runs = await site.rows("SELECT run_id, run_after, ended_at - run_after FROM dag_run ORDER BY run_after DESC")
    assert [name for name, _, _ in runs[1:]] == [f"history-{number}" for number in range(1, COPIES + 1)]
    assert [runs[0][1] - after for _, after, _ in runs] == [SPACING * number for number in range(COPIES + 1)]
    assert len({length for _, _, length in runs}) == 1
    late = await site.rows(
        "SELECT count(*) FROM task_transition h JOIN task_instance t ON t.id = h.instance"
        " JOIN dag_run r ON r.id = t.run WHERE h.at < r.run_after OR h.at > r.ended_at"
    )
    assert late == [(0,)]


async def test_the_next_run_ends_well_above_a_cloned_history(site: LedgerSite, metastore_url: str) -> None:
    await site.begin(a_dag(a_task("a"), a_task("b", after="a")))
    await site.work()
    await asyncio.to_thread(clone_runs, metastore_url, "etl", copies=COPIES)

    run = await site.trigger()

    assert await site.work() == ["a", "b"]
    assert await site.run_state(run) == "success"


async def test_without_a_finished_run_there_is_nothing_to_clone(site: LedgerSite, metastore_url: str) -> None:
    await site.begin(a_dag(a_task("a")))

    with pytest.raises(RuntimeError, match="the DAG etl has no successful run to make a history of; run it first"):
        await asyncio.to_thread(clone_runs, metastore_url, "etl", copies=COPIES)
