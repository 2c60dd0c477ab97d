"""Backfills in virtual time: schedulers die, freeze and lose answers while they make runs, and each date has one."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest

from flowd.actions.backends import Backends
from flowd.actions.backfill import cancel_backfill, create_backfill
from flowd.domain.backfill import BackfillRequest, ReprocessBehavior
from flowd.domain.dag_spec import DagSpec
from flowd.domain.ids import DagId
from flowd.domain.timetable import CronTriggerTimetable
from tests.simulation.cluster import Cluster
from tests.support.specs import a_dag, a_task

SEEDS = range(6)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SHORT, LONG = 6, 730
"""Days: of a backfill whose runs run, and of one of a paused DAG, whose runs are only made."""


def a_daily_dag(dag_id: str, *, is_paused: bool) -> DagSpec:
    return a_dag(
        a_task("a"),
        a_task("b", after=["a"]),
        dag_id=dag_id,
        timetable=CronTriggerTimetable("0 0 * * *", "UTC"),
        start_date=FIRST,
        end_date=FIRST,
        max_active_runs=1,
        is_paused_upon_creation=is_paused,
    )


@pytest.fixture
def cluster(seed: int, migrated_file: Path, tmp_path: Path) -> Iterator[Cluster]:
    shutil.copy(migrated_file, tmp_path / "flowd.db")
    specs = [a_daily_dag("short", is_paused=False), a_daily_dag("long", is_paused=True)]
    url = f"sqlite:///{tmp_path}/flowd.db"
    with Cluster(seed, tmp_path, url, specs, schedulers=3, workers=2).running() as running:
        yield running


def befall(cluster: Cluster, chance: Random) -> None:
    """Let something happen to a scheduler, or to the answers of the metastore."""
    process = chance.choice(cluster.schedulers)
    match chance.randrange(6):
        case 0 | 1:
            cluster.kill(process)
        case 2:
            cluster.freeze(process)
        case 3:
            cluster.cut_from_database(process)
        case 4:
            cluster.database.lost_answers = 0.2
        case _:
            cluster.heal()


@pytest.mark.parametrize("seed", SEEDS)
def test_each_date_of_a_backfill_has_one_run_whatever_befalls_the_schedulers(cluster: Cluster, seed: int) -> None:
    chance = Random(seed)
    short = BackfillRequest(
        dag_id=DagId("short"),
        from_date=FIRST,
        to_date=FIRST + (SHORT - 1) * DAY,
        max_active_runs=2,
        is_backwards=chance.random() < 0.5,
        reprocess_behavior=ReprocessBehavior.COMPLETED,
    )
    long = BackfillRequest(dag_id=DagId("long"), from_date=FIRST, to_date=FIRST + (LONG - 1) * DAY)
    for request in (short, long):
        cluster.client_does(partial(create_backfill, asked=request))

    for _ in range(25):
        cluster.run_for(chance.random() * 2)
        befall(cluster, chance)
    cluster.heal()
    again = cluster.await_row("SELECT 1 FROM backfill WHERE dag_id = 'short' AND completed_at IS NOT NULL")
    made = cluster.await_row(f"SELECT id FROM backfill WHERE dag_id = 'long' AND is_planned AND handled = {LONG}")
    cluster.client_does(partial(create_backfill, asked=short))
    cluster.client_does(partial(cancel_backfill, key=made))
    violations = cluster.finish()

    assert again and (violations, cluster.errors) == ([], [])
    rows = cluster.client_does(counts)
    assert rows == [("long", LONG, LONG), ("short", SHORT, SHORT)]


async def counts(backends: Backends) -> list[tuple[object, ...]]:
    async with backends.metastore.reading() as tx:
        return list(
            await tx.execute(
                "SELECT dag_id, COUNT(*), COUNT(DISTINCT logical_date) FROM dag_run GROUP BY dag_id ORDER BY dag_id"
            )
        )
