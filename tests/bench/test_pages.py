"""The bench of pages: its past is as large as it says, its DAG files load, and its table says what is too slow."""

import asyncio
import time
from pathlib import Path

from bench.pages.dag_files import TASKS, write_dags
from bench.pages.figures import PageFigure, rows_of, summary
from bench.pages.past import Amount, write_past
from bench.pages.reader import Seen
from flowd.sdk.dag_file import load
from tests.support.ledger_fixtures import OpenSite
from tests.support.specs import a_dag, a_task


def test_the_dag_files_have_so_many_dags_of_ten_tasks(tmp_path: Path) -> None:
    write_dags(tmp_path / "dags", dags=60)

    small = [
        dag for file in sorted((tmp_path / "dags").glob("pages_*")) for dag in load(str(tmp_path / "dags"), file.name)
    ]

    assert len(small) == 60
    assert all(sorted(dag.task_ids) == sorted(TASKS) for dag in small)


async def test_the_past_has_runs_with_tasks_tries_and_failures(open_sqlite_site: OpenSite, sqlite_url: str) -> None:
    site = open_sqlite_site()
    for dag_id in ("pages_0000", "pages_0001"):
        await site.put(a_dag(a_task("t"), dag_id=dag_id))

    counts = await asyncio.to_thread(
        write_past, sqlite_url, time.time_ns() // 1_000, Amount(runs_per_dag=40, events=50, others=5)
    )

    assert (counts["dag_run"], counts["task_instance"], counts["audit_event"]) == (2 * 40, 2 * 40 * 10, 50)
    states = dict(await site.rows("SELECT state, COUNT(*) FROM task_instance GROUP BY state"))
    assert states["failed"] == states["upstream_failed"] > 0
    retried = await site.rows("SELECT COUNT(*) FROM attempt WHERE try_number = 2")
    assert retried == [(states["failed"],)]


def test_the_table_says_which_pages_are_slower_or_heavier_than_they_are_to_be() -> None:
    quick, slow, heavy = (
        PageFigure.of(name, [Seen(seconds, seconds, weight, weight)] * 20)
        for name, seconds, weight in (("/a", 0.01, 10_000), ("/b", 0.06, 10_000), ("/c", 0.01, 200_000))
    )
    found = {"sqlite": [quick, slow, heavy]}

    assert rows_of(found)[2] == ("/b", "50 ms", "60.0 ms", "60.0 ms", "x 1.20", "10 KiB")
    assert summary(found) == "sqlite: 1 of 3 pages within their targets; not /b, /c"
