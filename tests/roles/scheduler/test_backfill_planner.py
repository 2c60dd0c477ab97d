"""BackfillPlanner: the dates of a backfill are worked out some at a time, by the timetable's own rules."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from flowd.actions.backfill import create_backfill
from flowd.db import bundles, dags
from flowd.db.dags import FreshDag
from flowd.domain.backfill import BackfillRequest
from flowd.domain.ids import BundleHash, DagId
from flowd.domain.timetable import CronTriggerTimetable, CustomTimetable
from flowd.roles.loop import Bell
from flowd.roles.scheduler.backfill_planner import DATES_AT_ONCE, BackfillPlanner
from tests.roles.scheduler.author_codes import author_code_of
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import POLL, LedgerSite
from tests.support.specs import NOW, a_dag, a_task

FILE = """
from datetime import timedelta
from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.timetables.base import DagRunInfo, Timetable

HOURS = {"hourly": 1, "endless": 1, "back": -1, "broken": 0}

class Own(Timetable):
    def __init__(self, name):
        self.name = name

    def next_dagrun_info(self, *, last_automated_data_interval, restriction):
        assert restriction.catchup
        last = last_automated_data_interval
        start = restriction.earliest if last is None else last.start + timedelta(hours=HOURS[self.name])
        if self.name == "broken":
            raise RuntimeError("the timetable is broken")
        if self.name == "hourly" and start > restriction.latest:
            return None
        return DagRunInfo.interval(start, start + timedelta(hours=1))

for name in HOURS:
    with DAG(name, timetable=Own(name)) as dag:
        EmptyOperator(task_id="t")
    globals()[name] = dag
"""
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def site(open_sqlite_site: OpenSite) -> LedgerSite:
    return open_sqlite_site()


@pytest.fixture
def planner(site: LedgerSite, tmp_path: Path) -> BackfillPlanner:
    return BackfillPlanner(site.metastore, site.graphs, author_code_of(site, tmp_path), POLL, planned=Bell())


async def begin(site: LedgerSite, *names: str, hours: int) -> None:
    """Write these DAGs of FILE, with the file in their bundle, and ask for a backfill of each."""
    content = FILE.encode()
    manifest = {"etl.py": hashlib.sha256(content).hexdigest()}
    async with site.metastore.transaction() as tx:
        bundle = await bundles.store(tx, manifest, {manifest["etl.py"]: bundles.pack(content)}, size_bytes=0, now=NOW)
        await _save(site, tx, bundle, names)
    for name in names:
        await ask(site, name, hours)


async def _save(site: LedgerSite, tx: Any, bundle: BundleHash, names: tuple[str, ...]) -> None:
    own = [CustomTimetable(name=name, summary=name, description=name) for name in names]
    fresh = [FreshDag(spec=a_dag(a_task("t"), dag_id=one.name, timetable=one, start_date=FIRST)) for one in own]
    await dags.save(tx, fresh, bundle=bundle, paused_at_creation=False, now=NOW)


async def ask(site: LedgerSite, dag_id: str, hours: int) -> None:
    request = BackfillRequest(dag_id=DagId(dag_id), from_date=FIRST, to_date=FIRST + hours * HOUR)
    await create_backfill(site.backends, request)


async def planned(site: LedgerSite) -> dict[str, tuple[int, bool]]:
    rows = await site.rows("SELECT dag_id, planned, is_planned FROM backfill")
    return {dag_id: (number, bool(is_planned)) for dag_id, number, is_planned in rows}


async def all_of(planner: BackfillPlanner) -> int:
    steps = 0
    while await planner.step():
        steps += 1
    return steps


async def test_a_long_range_is_planned_in_several_transactions(site: LedgerSite, planner: BackfillPlanner) -> None:
    hourly = CronTriggerTimetable("0 * * * *", "UTC")
    await site.put(a_dag(a_task("t"), timetable=hourly))
    await ask(site, "etl", DATES_AT_ONCE * 2)

    steps = await all_of(planner)

    assert steps == 3
    assert await planned(site) == {"etl": (DATES_AT_ONCE * 2 + 1, True)}
    rows = await site.rows("SELECT place, interval_start FROM backfill_date ORDER BY place")
    hour, first = HOUR // timedelta(microseconds=1), int(FIRST.timestamp()) * 10**6
    assert rows == [(place, first + (place - 1) * hour) for place in range(1, DATES_AT_ONCE * 2 + 2)]


async def test_an_authors_own_timetable_is_asked_up_to_the_last_date(
    site: LedgerSite, planner: BackfillPlanner
) -> None:
    await begin(site, "hourly", "endless", hours=DATES_AT_ONCE + 4)

    await all_of(planner)

    assert await planned(site) == dict.fromkeys(("hourly", "endless"), (DATES_AT_ONCE + 5, True))


async def test_a_bad_timetable_is_logged_left_alone_and_costs_nobody_else(
    site: LedgerSite, planner: BackfillPlanner
) -> None:
    await begin(site, "broken", "back", "hourly", hours=2)

    with capture_logs() as logs:
        await all_of(planner)

    said = sorted((one["event"], one["dag"]) for one in logs if one["log_level"] == "warning")
    assert said == [("timetable failed", "broken"), ("timetable goes back", "back")]
    assert await planned(site) == {"broken": (0, False), "back": (0, False), "hourly": (3, True)}


async def test_who_comes_late_with_dates_that_are_planned_already_changes_nothing(
    site: LedgerSite, planner: BackfillPlanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.put(a_dag(a_task("t"), timetable=CronTriggerTimetable("0 * * * *", "UTC")))
    await ask(site, "etl", 5)
    dates = planner._dates

    async def overtaken(*asked: Any) -> Any:
        found = await dates(*asked)
        await site.backfill_planner.step()
        return found

    monkeypatch.setattr(planner, "_dates", overtaken)

    assert await planner.step() is False
    assert await planned(site) == {"etl": (6, True)}
