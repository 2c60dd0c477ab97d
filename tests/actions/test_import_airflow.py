"""What came from Airflow is history here: complete, at rest, and the ground on which schedules and people go on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowd.actions.airflow_import.import_airflow import import_airflow
from flowd.actions.airflow_import.report import Fate, Part, Report
from flowd.actions.airflow_import.runs import MOST_INSTANCES, portions
from flowd.actions.airflow_import.wish import Wish
from flowd.actions.clear_tasks import clear_run
from flowd.db.airflow_source.source import opened
from flowd.db.airflow_source.stored_secrets import AirflowVault
from flowd.db.latest import Pin
from flowd.db.retention import delete_finished_runs
from flowd.domain.airflow_run import AirflowRun
from flowd.domain.ids import BundleHash, DagId, RunId
from flowd.domain.map_length import Expansion, LiteralLength
from flowd.domain.states import RunState
from flowd.domain.timetable import CronTriggerTimetable
from flowd.security.vault import Vault
from tests.support.airflow_metastore import KEY, NOON, AirflowMetastore, Version, an_airflow, fill
from tests.support.checker.check import check
from tests.support.checker.metastore_evidence import read_evidence
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

ETL = a_dag(a_task("extract"), a_task("load", after=["extract"]))
FLOWD_KEY = "A" * 43 + "="
HISTORY = Wish(parts=frozenset({Part.RUNS}))


async def brought(site: LedgerSite, airflow: AirflowMetastore, wish: Wish = HISTORY) -> Report:
    """Import from it, as the command does."""
    async with opened(airflow.url) as source:
        return await import_airflow(
            source, AirflowVault(KEY), site.metastore, Vault([FLOWD_KEY]), wish, lambda part, rows: None
        )


async def table(site: LedgerSite, statement: str) -> list[tuple[Any, ...]]:
    async with site.metastore.reading() as tx:
        return [tuple(row) for row in await tx.execute(statement)]


RUNS = "SELECT run_id, state, version, unfinished, has_news, ended_at FROM dag_run ORDER BY id"
TASKS = (
    "SELECT task_id, state, version, try_number, needs_propagation, started_at, ended_at FROM task_instance ORDER BY id"
)


@pytest.mark.parametrize("version", Version)
async def test_history_is_complete_and_at_rest(site: LedgerSite, tmp_path: Path, version: Version) -> None:
    await site.put(ETL)
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", version) as airflow:
        await fill(airflow)

        report = await brought(site, airflow)

    before = await table(site, RUNS), await table(site, TASKS)
    await site.settle()
    assert (await table(site, RUNS), await table(site, TASKS)) == before
    assert await site.claim() == {}
    assert [(state, version, unfinished, bool(news)) for _, state, version, unfinished, news, _ in before[0]] == [
        ("success", 1, 0, False),
        ("failed", 1, 0, False),
        ("success", 1, 0, False),
    ]
    assert [row[:4] for row in before[1]] == [
        ("extract", "success", 1, 1),
        ("load", "success", 1, 1),
        ("extract", "failed", 1, 1),
        ("load", "upstream_failed", 1, 0),
        ("extract", "success", 1, 1),
        ("load", "failed", 1, 2),
    ]
    assert check(await read_evidence(site.metastore)) == []
    assert (report.count(Part.RUNS, Fate.NEW), report.count(Part.RUNS, Fate.SKIPPED)) == (3, 2)


async def test_doing_it_again_changes_nothing_and_brings_what_has_ended_meanwhile(
    site: LedgerSite, tmp_path: Path
) -> None:
    await site.put(ETL)
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.THREE) as airflow:
        await fill(airflow)
        await brought(site, airflow)
        first = await table(site, RUNS), await table(site, TASKS)

        again = await brought(site, airflow)
        assert (await table(site, RUNS), await table(site, TASKS)) == first
        assert (again.count(Part.RUNS, Fate.SAME), again.count(Part.RUNS, Fate.NEW)) == (3, 0)

        await airflow.execute("UPDATE task_instance SET state = 'success' WHERE state IS NULL OR state = 'running'")
        await airflow.execute("UPDATE dag_run SET state = 'success', end_date = start_date WHERE state = 'running'")
        later = await brought(site, airflow)

    assert (later.count(Part.RUNS, Fate.SAME), later.count(Part.RUNS, Fate.NEW)) == (3, 1)
    assert len(await table(site, RUNS)) == 4


async def test_a_dry_run_says_the_same_and_writes_nothing(site: LedgerSite, tmp_path: Path) -> None:
    await site.put(ETL)
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.TWO) as airflow:
        await fill(airflow)

        planned = await brought(site, airflow, Wish(is_dry_run=True, overwrite=True, unpause=True))
        assert await table(site, RUNS) == []
        assert await table(site, "SELECT name FROM variable") == []
        assert await table(site, "SELECT conn_id FROM connection") == []
        done = await brought(site, airflow, Wish(overwrite=True, unpause=True))

    assert planned.groups == done.groups


async def test_a_cleared_run_of_airflow_runs_here_in_its_next_try(site: LedgerSite, tmp_path: Path) -> None:
    await site.put(ETL)
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.THREE) as airflow:
        await fill(airflow)
        await brought(site, airflow)
    ((run_id,),) = await table(site, "SELECT run_id FROM dag_run WHERE state = 'failed'")

    await clear_run(site.backends, DagId("etl"), RunId(run_id), only_failed=True)
    await site.settle()
    for _ in ("extract", "load"):
        for claimed in (await site.claim()).values():
            await site.succeed(claimed)
        await site.settle()

    assert await table(site, f"SELECT state, version FROM dag_run WHERE run_id = '{run_id}'") == [("success", 4)]
    assert await table(
        site,
        "SELECT t.task_id, a.try_number, a.cause FROM attempt a JOIN task_instance t ON t.id = a.instance"
        f" JOIN dag_run d ON d.id = t.run WHERE d.run_id = '{run_id}' ORDER BY t.id, a.try_number",
    ) == [("extract", 1, "failed"), ("extract", 2, "succeeded"), ("load", 1, "succeeded")]
    assert check(await read_evidence(site.metastore)) == []


async def test_a_schedule_goes_on_behind_what_airflow_has_run(site: LedgerSite, tmp_path: Path) -> None:
    this_year = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)
    yearly = CronTriggerTimetable("0 0 1 1 *", "UTC")
    await site.put(
        a_dag(a_task("t"), timetable=yearly, catchup=True, start_date=this_year - timedelta(days=5 * 366)),
    )
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.THREE) as airflow:
        await airflow.run("etl", this_year, {"t": "success"})
        await brought(site, airflow)

    await site.creator.step()

    assert [row[0] for row in await table(site, RUNS)] == [f"scheduled__{this_year.isoformat()}"]
    ((after,),) = await table(site, "SELECT next_run_after FROM dag")
    assert after == int(this_year.replace(year=this_year.year + 1).timestamp()) * 1_000_000


async def test_without_its_history_that_schedule_would_run_it_all_again(site: LedgerSite) -> None:
    this_year = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)
    yearly = CronTriggerTimetable("0 0 1 1 *", "UTC")
    await site.put(a_dag(a_task("t"), timetable=yearly, catchup=True, start_date=this_year - timedelta(days=3 * 366)))

    await site.creator.step()

    assert len(await table(site, RUNS)) > 1


async def test_what_had_not_ended_with_its_run_and_mapped_tasks_stay_whole(site: LedgerSite, tmp_path: Path) -> None:
    await site.put(a_dag(a_task("list"), a_task("m", after=["list"], expansion=Expansion(length=LiteralLength(3)))))
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.TWO) as airflow:
        run_id = await airflow.run("etl", NOON, {"list": "success"}, state="failed")
        for index, state in enumerate(["success", None, "running"]):
            await airflow.instance("etl", run_id, "m", state, NOON, map_index=index, rendered_map_index=f"no {index}")

        report = await brought(site, airflow)

    assert await table(
        site, "SELECT map_index, rendered_map_index, state FROM task_instance WHERE task_id = 'm' ORDER BY map_index"
    ) == [(0, "no 0", "success"), (1, "no 1", "skipped"), (2, "no 2", "skipped")]
    told = {group.reason: group.count for group in report.groups if group.part is Part.TASKS}
    assert told == {"": 2, "as skipped: it had not ended when its run did": 2}
    assert check(await read_evidence(site.metastore)) == []


async def test_history_is_deleted_with_all_other_history(site: LedgerSite, tmp_path: Path) -> None:
    await site.put(ETL)
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.THREE) as airflow:
        await fill(airflow)
        await brought(site, airflow)

    deleted = await delete_finished_runs(site.metastore, timedelta(days=1))

    assert (deleted.runs, deleted.task_instances) == (3, 6)
    assert await table(site, "SELECT 1 FROM attempt") == []


async def test_a_run_of_flowd_stays_where_airflow_has_one_of_its_id_or_date(site: LedgerSite, tmp_path: Path) -> None:
    await site.put(ETL)
    await site.trigger(run_id=RunId("mine"))
    await site.trigger(run_id=RunId("dated"), logical_date=NOON)
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.THREE) as airflow:
        await airflow.run("etl", NOON - timedelta(days=1), run_id="mine", run_type="manual")
        await airflow.run("etl", NOON, run_id="theirs", run_type="manual")

        report = await brought(site, airflow, Wish(parts=frozenset({Part.RUNS}), overwrite=True))

    assert [(group.fate, group.reason, group.count) for group in report.groups] == [
        (Fate.KEPT, "flowd has this run, and it has not ended here", 1),
        (Fate.SKIPPED, "flowd has another run of this logical date", 1),
    ]
    assert [row[:2] for row in await table(site, RUNS)] == [("mine", "queued"), ("dated", "queued")]


async def test_runs_before_a_moment_can_be_left_out(site: LedgerSite, tmp_path: Path) -> None:
    await site.put(ETL)
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.TWO) as airflow:
        await fill(airflow)

        report = await brought(site, airflow, Wish(parts=frozenset({Part.RUNS}), since=NOON - timedelta(days=2)))

    assert report.count(Part.RUNS, Fate.NEW) == 2


def test_runs_go_in_portions_of_so_many_task_instances_or_one_run() -> None:
    pin = Pin(1, BundleHash("c" * 64))
    runs = [
        (AirflowRun(key=key, dag_id="etl", run_id=str(key), state=RunState.SUCCESS, run_type="manual"), pin)
        for key in range(5)
    ]
    counts = {("etl", "0"): MOST_INSTANCES - 1, ("etl", "1"): 1, ("etl", "2"): 5 * MOST_INSTANCES, ("etl", "4"): 1}

    assert [[run.key for run, _ in some] for some in portions(runs, counts)] == [[0, 1], [2], [3, 4]]
