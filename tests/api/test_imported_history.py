"""Pages show history of another system as they show their own, also of tasks that the DAG has no more."""

from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from flowd.actions.airflow_import.import_airflow import import_airflow
from flowd.actions.airflow_import.wish import Wish
from flowd.db.airflow_source.source import opened
from flowd.db.airflow_source.stored_secrets import AirflowVault
from flowd.security.vault import Vault
from tests.api.cluster import Cluster
from tests.api.test_dashboard import browser, problems_of
from tests.support.airflow_metastore import KEY, NOON, Version, an_airflow

__all__ = ["browser"]

RUN = f"/dags/etl/runs/{quote(f'scheduled__{NOON.isoformat()}')}"


@pytest.fixture(autouse=True)
async def _imported(cluster: Cluster, tmp_path: Path) -> None:
    """A run of `etl` in which `load` failed; `dropped` was a task of it then."""
    async with an_airflow(f"sqlite:///{tmp_path}/airflow.db", Version.THREE) as airflow:
        await airflow.run("etl", NOON, {"extract": "success", "dropped": "success", "load": "failed"}, state="failed")
        async with opened(airflow.url) as source:
            vault = Vault(["A" * 43 + "="])
            await import_airflow(source, AirflowVault(KEY), cluster.metastore, vault, Wish(), lambda part, rows: None)


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("/", "Nothing is running."),
        ("/dags/etl", RUN),
        ("/dags/etl/graph", "extract"),
        ("/dags/etl/calendar", "2026"),
        ("/dags/etl/duration", RUN),
        ("/dags/etl/runs", RUN),
        ("/dag_runs", RUN),
        ("/task_instances", "dropped"),
        (RUN, "celery-1"),
        (f"{RUN}/graph", "Load it"),
        (f"{RUN}/gantt", "dropped"),
        (f"{RUN}/details", "imported failed"),
        (f"{RUN}/tasks/load", "There is no log of this try here"),
        (f"{RUN}/tasks/load/details", "imported"),
        (f"{RUN}/tasks/dropped", "success"),
        (f"{RUN}/tasks/dropped/details", "celery-1"),
    ],
)
async def test_a_page_shows_it(browser: httpx.AsyncClient, page: str, wanted: str) -> None:
    answer = await browser.get(page)

    assert answer.status_code == 200
    assert wanted in answer.text
    assert problems_of(answer.text) == []
