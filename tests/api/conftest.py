"""The API over a real metastore: SQLite, or for what SQL decides both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flowd.db.dialect import Kind
from tests.api.cluster import Cluster, a_cluster
from tests.support.migrated_metastore import migrated_metastore
from tests.support.services import PostgresServer
from tests.support.specs import a_dag, a_task

ETL = a_dag(
    a_task("extract"),
    a_task("load", after=["extract"], presentation={"owner": "ada", "task_display_name": "Load it"}),
    presentation={"tags": ["daily", "sales"], "description": "Sales", "owner": "ada", "dag_display_name": "The ETL"},
)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster on SQLite with the DAG `etl`."""
    # SQLite needs no server: the one that answers is not asked.
    server = PostgresServer("")
    async with migrated_metastore(Kind.SQLITE, tmp_path, server) as metastore, a_cluster(metastore, tmp_path) as made:
        await made.save(ETL)
        yield made


@pytest.fixture(params=[Kind.SQLITE, Kind.POSTGRESQL])
async def either(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer
) -> AsyncIterator[Cluster]:
    """A cluster with the DAG `etl`, on each database."""
    async with (
        migrated_metastore(request.param, tmp_path, postgres_server) as metastore,
        a_cluster(metastore, tmp_path) as made,
    ):
        await made.save(ETL)
        yield made
