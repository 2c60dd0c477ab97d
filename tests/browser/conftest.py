"""A real node with a realistic past, and a real Chromium to look at it with."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from bench.demo.dag_files import FAILING, write_dag_files
from bench.demo.past import write_past
from tests.support.node_process import SECRETS, NodeProcess, eventually

SHOWN = ("sales_orders_etl", "sales_orders_report", "ml_churn_training", "warehouse_refresh", FAILING)
"""Of the demo's DAGs: one of each shape."""

CHROMIUM = os.environ.get("FLOWD_TEST_CHROMIUM") or shutil.which("chromium") or "chromium"


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """Every role on embedded SQLite, with two weeks of past and one run of each DAG that it made itself."""
    home = tmp_path_factory.mktemp("browser")
    write_dag_files(home / "dags")
    for file in (home / "dags").glob("*.py"):
        if file.stem not in (*SHOWN, "half_written"):
            file.unlink()
    environ = SECRETS | {"FLOWD_HOME": str(home), "FLOWD__DAGS__FOLDER": str(home / "dags")}
    made = NodeProcess(
        home=home, roles="api,scheduler,worker", environ=environ | {"FLOWD__DAGS__PAUSED_AT_CREATION": "1"}
    )
    try:
        made.start()
        eventually(lambda: made.get("/api/v2/dags")["total_entries"] == len(SHOWN), "the DAGs to be read")
        asyncio.run(write_past(f"sqlite:///{home}/flowd.db", days=14, now=datetime.now(UTC)))
        for dag_id in SHOWN:
            made.request("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})
            made.trigger(dag_id)
        eventually(lambda: _is_over(made), "the runs to end")
        yield made
    finally:
        made.destroy()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Not for longer than a test: an event loop runs in this thread until it is closed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where screenshots go, if anybody wants them: FLOWD_TEST_PICTURES."""
    folder = os.environ.get("FLOWD_TEST_PICTURES")
    if folder is None:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


def _is_over(node: NodeProcess) -> bool:
    live = node.get("/api/v2/dags/~/dagRuns", state=["queued", "running"])
    return bool(live["total_entries"] == 0)
