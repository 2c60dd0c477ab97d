"""TimetableAsker: authors' own timetables plan runs from child processes, and a bad one costs nobody else."""

import hashlib
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from flowd.db import bundles, dags, schedules
from flowd.db.dags import FreshDag
from flowd.db.ledger import intervals
from flowd.db.moments import from_db
from flowd.domain.dag_run import DagRun
from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.ids import DagId
from flowd.domain.timetable import CustomTimetable
from flowd.roles.loop import Bell
from flowd.roles.scheduler.timetable_asker import TimetableAsker
from tests.roles.scheduler.author_codes import author_code_of
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import POLL, LedgerSite
from tests.support.specs import NOW, a_dag, a_task

FILE = """
from datetime import timedelta
from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

class Yearly(Timetable):
    "A run each first of January, about the year before, up to 2003."

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        assert isinstance(restriction, TimeRestriction) and restriction.catchup is True
        start = last_automated_data_interval.end if last_automated_data_interval else restriction.earliest
        end = start.replace(year=start.year + 1)
        return DagRunInfo.interval(start=start, end=end) if end.year <= 2003 else None

    def infer_manual_data_interval(self, *, run_after):
        return DataInterval(run_after.replace(year=run_after.year - 1), run_after)

class Broken(Timetable):
    def infer_manual_data_interval(self, *, run_after):
        raise RuntimeError("the timetable is broken")

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        raise RuntimeError("the timetable is broken")

class Naive(Timetable):
    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        return DagRunInfo.exact(restriction.earliest.replace(tzinfo=None))

class Stuck(Timetable):
    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        return DagRunInfo.exact(restriction.earliest)

for name, timetable in {"yearly": Yearly(), "broken": Broken(), "naive": Naive(), "stuck": Stuck()}.items():
    with DAG(name, timetable=timetable) as dag:
        EmptyOperator(task_id="t")
    globals()[name] = dag
"""
START = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def site(open_sqlite_site: OpenSite) -> LedgerSite:
    return open_sqlite_site()


@pytest.fixture
def asker(site: LedgerSite, tmp_path: Path) -> TimetableAsker:
    code = author_code_of(site, tmp_path)
    return TimetableAsker(site.metastore, site.graphs, code, POLL, planned=Bell(), advancer=site.advancer)


async def put(site: LedgerSite, *names: str, **fields: Any) -> None:
    """Write these DAGs of FILE as the sync of the DAG folder does, with the file in their bundle."""
    content = FILE.encode()
    manifest = {"etl.py": hashlib.sha256(content).hexdigest()}
    async with site.metastore.transaction() as tx:
        bundle = await bundles.store(tx, manifest, {manifest["etl.py"]: bundles.pack(content)}, size_bytes=0, now=NOW)
        fresh = [
            FreshDag(
                spec=a_dag(
                    a_task("t"),
                    dag_id=name,
                    timetable=CustomTimetable(name=name, summary=name, description=name),
                    start_date=START,
                    catchup=True,
                    **fields,
                )
            )
            for name in names
        ]
        await dags.save(tx, fresh, bundle=bundle, paused_at_creation=False, now=NOW)


async def planned(site: LedgerSite, name: str) -> NextRun | None:
    async with site.metastore.reading() as tx:
        return await schedules.planned(tx, DagId(name))


async def test_a_timetable_is_asked_again_after_each_run_until_it_wants_no_more(
    site: LedgerSite, asker: TimetableAsker
) -> None:
    await put(site, "yearly")
    dates = [datetime(year, 1, 1, tzinfo=UTC) for year in range(2000, 2004)]

    plans: list[NextRun | None] = []
    while await asker.step():
        plans.append(await planned(site, "yearly"))
        await site.creator.step()

    assert plans == [NextRun(DataInterval(start, end), end) for start, end in pairwise(dates)]
    made = await site.rows("SELECT run_id, run_type FROM dag_run ORDER BY id")
    assert made == [(f"scheduled__{date.isoformat()}", "scheduled") for date in dates[:-1]]
    assert await planned(site, "yearly") is None


async def test_bad_timetables_are_logged_left_alone_and_cost_nobody_else(
    site: LedgerSite, asker: TimetableAsker, tmp_path: Path
) -> None:
    await put(site, "broken", "naive", "stuck", "yearly")

    with capture_logs() as logs:
        assert await asker.step() is True
        await site.creator.step()
        # What failed is not asked about the same again at once.
        while await asker.step():
            await site.creator.step()

    said = sorted((one["event"], one["dag"]) for one in logs if one["log_level"] == "warning")
    assert said == [("timetable failed", "broken"), ("timetable failed", "naive"), ("timetable goes back", "stuck")]
    text = "".join(path.read_text() for path in (tmp_path / "logs").rglob("*.log"))
    assert "RuntimeError: the timetable is broken" in text
    assert "which has no time zone; give it one such as UTC" in text
    assert len(await site.rows("SELECT id FROM dag_run WHERE dag_id = 'yearly'")) == 3


async def test_paused_dags_and_those_with_a_plan_are_not_asked(site: LedgerSite, asker: TimetableAsker) -> None:
    await put(site, "yearly", is_paused_upon_creation=True)
    await site.put(a_dag(a_task("t"), dag_id="by_hand"))

    assert await asker.step() is False
    assert await planned(site, "yearly") is None


async def test_a_plan_counts_only_where_nobody_has_planned_since(site: LedgerSite) -> None:
    await put(site, "yearly")
    first, second = (NextRun(DataInterval(START, START.replace(year=year)), START) for year in (2001, 2002))
    async with site.metastore.transaction() as tx:
        (unplanned,) = await schedules.unplanned(tx, limit=9)
        assert await schedules.plan(tx, unplanned, first)

        assert not await schedules.plan(tx, unplanned, second)

    assert await planned(site, "yearly") == first


async def test_a_bundle_that_is_gone_is_logged(site: LedgerSite, asker: TimetableAsker) -> None:
    await put(site, "yearly")
    await site.change(f"UPDATE dag SET bundle = '{'d' * 64}'")

    with capture_logs() as logs:
        assert await asker.step() is False

    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["timetable could not be asked"]


async def interval_of(site: LedgerSite, run: DagRun) -> DataInterval | None:
    ((start, end),) = await site.rows(
        "SELECT data_interval_start, data_interval_end FROM dag_run WHERE id = :id", id=run.key
    )
    return None if start is None else DataInterval(from_db(start), from_db(end))


async def test_a_triggered_run_waits_until_its_timetable_has_said_what_it_is_about(
    site: LedgerSite, asker: TimetableAsker
) -> None:
    await put(site, "yearly", end_date=START)
    run = await site.trigger("yearly", logical_date=NOW)
    undated = await site.trigger("yearly")
    await site.settle()
    waiting = [await site.run_state(one) for one in (run, undated)]

    await asker.step()
    await site.settle()

    assert waiting == ["queued", "running"], "a run without a date is about no interval"
    assert await interval_of(site, run) == DataInterval(NOW.replace(year=NOW.year - 1), NOW)
    assert await site.run_state(run) == "running"
    assert await interval_of(site, undated) is None


async def test_where_a_timetable_fails_a_triggered_run_is_about_its_own_moment(
    site: LedgerSite, asker: TimetableAsker
) -> None:
    await put(site, "broken")
    run = await site.trigger("broken", logical_date=NOW)

    with capture_logs() as logs:
        await asker.step()
    await site.settle()

    assert (await interval_of(site, run), await site.run_state(run)) == (DataInterval.at(NOW), "running")
    assert any(one["event"] == "timetable failed" and one["dag"] == "broken" for one in logs)


async def test_a_run_that_was_given_its_interval_keeps_it(site: LedgerSite, asker: TimetableAsker) -> None:
    await put(site, "yearly")
    given = DataInterval(START, NOW)
    run = await site.trigger("yearly", logical_date=NOW, data_interval=given)

    async with site.metastore.transaction() as tx:
        is_changed = await intervals.give_interval(tx, run.key, DataInterval.at(NOW))

    assert (is_changed, await interval_of(site, run)) == (False, given)
