"""DAGs and versions as the sync writes them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.db import dags, import_errors, schedules
from flowd.db.dags import FreshDag
from flowd.db.metastore import Metastore
from flowd.db.moments import from_db
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import DataInterval
from flowd.domain.ids import BundleHash, DagId
from flowd.domain.timetable import CronDataIntervalTimetable
from tests.support.specs import NOW, a_dag, a_task

FIRST, SECOND = BundleHash("1" * 64), BundleHash("2" * 64)
DAILY = CronDataIntervalTimetable("0 0 * * *", "UTC")


async def save(
    metastore: Metastore,
    *specs: DagSpec,
    bundle: BundleHash = FIRST,
    now: datetime = NOW,
    paused_at_creation: bool = False,
) -> None:
    async with metastore.transaction() as tx:
        fresh = [FreshDag(spec=spec, warnings=("careful",), parse_seconds=0.5) for spec in specs]
        await dags.save(tx, fresh, bundle=bundle, paused_at_creation=paused_at_creation, now=now)


async def row(metastore: Metastore, dag_id: str = "etl") -> dict[str, Any]:
    async with metastore.reading() as tx:
        rows = await tx.execute(
            "SELECT d.*, v.number FROM dag d JOIN dag_version v ON v.id = d.version WHERE d.dag_id = :id",
            {"id": dag_id},
        )
        return dict(rows.mappings().one())


async def test_a_new_dag_is_written_with_its_first_version(metastore: Metastore) -> None:
    await save(metastore, a_dag(a_task("t")))

    found = await row(metastore)
    assert (found["number"], found["file"], found["bundle"]) == (1, "etl.py", FIRST)
    assert (bool(found["is_active"]), bool(found["is_paused"])) == (True, False)
    assert (found["warnings"], found["parse_seconds"]) == ('["careful"]', 0.5)
    assert from_db(found["first_seen_at"]) == from_db(found["parsed_at"]) == NOW


async def test_another_structure_is_another_version_and_the_old_structure_gets_its_old_one_back(
    metastore: Metastore,
) -> None:
    numbers = []
    for task_id in ("t", "u", "t", "v"):
        await save(metastore, a_dag(a_task(task_id)))
        numbers.append((await row(metastore))["number"])

    assert numbers == [1, 2, 1, 3]


async def test_the_same_structure_in_a_new_bundle_keeps_its_version(metastore: Metastore) -> None:
    await save(metastore, a_dag())
    await save(metastore, a_dag(), bundle=SECOND, now=NOW + timedelta(hours=1))

    found = await row(metastore)
    assert (found["number"], found["bundle"]) == (1, SECOND)
    assert from_db(found["first_seen_at"]) == NOW


@pytest.mark.parametrize(
    ("own", "setting", "expected"), [(None, True, True), (None, False, False), (False, True, False)]
)
async def test_whether_a_dag_begins_paused_is_its_own_word_and_else_the_setting(
    metastore: Metastore, own: bool | None, setting: bool, expected: bool
) -> None:
    await save(metastore, a_dag(is_paused_upon_creation=own), paused_at_creation=setting)

    assert bool((await row(metastore))["is_paused"]) is expected


async def test_a_dag_that_people_unpaused_stays_so(metastore: Metastore) -> None:
    await save(metastore, a_dag(is_paused_upon_creation=True))
    async with metastore.transaction() as tx:
        await tx.execute("UPDATE dag SET is_paused = :no", {"no": False})

    await save(metastore, a_dag(a_task("new"), is_paused_upon_creation=True), paused_at_creation=True)

    assert not (await row(metastore))["is_paused"]


async def test_the_next_run_is_planned_from_the_start_date(metastore: Metastore) -> None:
    start = datetime(2025, 12, 1, tzinfo=UTC)
    await save(metastore, a_dag(timetable=DAILY, start_date=start, catchup=True))

    async with metastore.transaction() as tx:
        (due,) = await schedules.due(tx, NOW, limit=9)
    assert due.next_run.data_interval == DataInterval(start, start + timedelta(days=1))
    assert due.last_interval is None


async def test_without_a_start_date_a_schedule_begins_when_the_dag_was_first_seen(metastore: Metastore) -> None:
    await save(metastore, a_dag(timetable=DAILY, catchup=True))
    await save(metastore, a_dag(a_task("t"), timetable=DAILY, catchup=True), now=NOW + timedelta(days=3))

    found = await row(metastore)
    assert from_db(found["next_logical_date"]) == datetime(2026, 1, 2, tzinfo=UTC)


async def test_a_changed_schedule_goes_on_behind_the_last_run(metastore: Metastore) -> None:
    start = datetime(2025, 12, 1, tzinfo=UTC)
    spec = a_dag(timetable=DAILY, start_date=start, catchup=True)
    await save(metastore, spec)
    async with metastore.transaction() as tx:
        await schedules.advance(tx, DagId("etl"), DataInterval(start, start + timedelta(days=1)), None)

    await save(metastore, replace(spec, timetable=CronDataIntervalTimetable("0 12 * * *", "UTC")))

    found = await row(metastore)
    assert from_db(found["last_interval_start"]) == start
    assert from_db(found["next_interval_start"]) == start + timedelta(hours=12)


async def test_only_dags_that_were_not_parsed_are_moved_and_inactive_ones_are_kept(metastore: Metastore) -> None:
    await save(metastore, a_dag(dag_id="a"), a_dag(dag_id="b"), a_dag(dag_id="c"))

    async with metastore.transaction() as tx:
        await dags.lock(tx, [DagId("b"), DagId("c")])
        await dags.move(tx, [DagId("b")], SECOND)
        await dags.deactivate(tx, [DagId("c")])

    async with metastore.reading() as tx:
        assert [(one.dag_id, one.is_active) for one in await dags.known(tx)] == [("a", True), ("b", True), ("c", False)]
    assert [(await row(metastore, name))["bundle"] for name in "abc"] == [FIRST, SECOND, FIRST]


async def test_import_errors_are_replaced_per_file_and_an_old_one_keeps_its_time(metastore: Metastore) -> None:
    async with metastore.transaction() as tx:
        await import_errors.replace(tx, ["a.py", "b.py", "c.py"], {"a.py": "old", "b.py": "b", "c.py": "c"}, NOW)
    later = NOW + timedelta(hours=1)

    async with metastore.transaction() as tx:
        await import_errors.replace(tx, ["a.py", "b.py"], {"a.py": "old", "d.py": "nul \0 half \ud800"}, later)

    async with metastore.reading() as tx:
        found = (await tx.execute("SELECT file, message, at FROM import_error ORDER BY file")).all()
    assert [(file, message, from_db(at)) for file, message, at in found] == [
        ("a.py", "old", NOW),
        ("c.py", "c", NOW),
        ("d.py", "nul \N{REPLACEMENT CHARACTER} half ?", later),
    ]
