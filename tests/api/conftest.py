"""The API over a real metastore: SQLite, or for what SQL decides every database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flowd.db.metastore import Metastore
from tests.api.cluster import Cluster, a_cluster
from tests.support.specs import a_dag, a_task

ETL = a_dag(
    a_task("extract"),
    a_task("load", after=["extract"], presentation={"owner": "ada", "task_display_name": "Load it"}),
    presentation={"tags": ["daily", "sales"], "description": "Sales", "owner": "ada", "dag_display_name": "The ETL"},
)


@pytest.fixture
async def cluster(sqlite_metastore: Metastore, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster on SQLite with the DAG `etl`."""
    async with a_cluster(sqlite_metastore, tmp_path) as made:
        await made.save(ETL)
        yield made


@pytest.fixture
async def either(metastore: Metastore, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster with the DAG `etl`, on each database."""
    async with a_cluster(metastore, tmp_path) as made:
        await made.save(ETL)
        yield made
