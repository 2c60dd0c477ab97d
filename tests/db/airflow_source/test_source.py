"""The connection to Airflow's metastore: it reads, on each database, and can do nothing else."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from flowd.db.airflow_source.source import opened
from flowd.domain.errors import MetastoreUnavailable
from tests.support.airflow_metastore import Version, an_airflow, schema

SOURCES = ("sqlite", "postgres_url", "mariadb_url")


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/air flow#1.db"


@pytest.fixture(params=SOURCES)
def url(request: pytest.FixtureRequest) -> str:
    """An empty database, of each kind in turn."""
    found: str = request.getfixturevalue(request.param)
    return found


async def test_nothing_can_be_written(url: str) -> None:
    writing: Any = insert(schema(Version.TWO).tables["variable"]).values(key="a", val="1", is_encrypted=False)

    async with an_airflow(url, Version.TWO) as airflow:
        await airflow.variable("there", "1", key=None)
        async with opened(url) as source:
            with pytest.raises(MetastoreUnavailable, match=r"(?i)read.?only"):
                await source.rows(writing)
        async with opened(url) as source:
            found = await source.rows(select(source.table("variable").c.key))

    assert [row["key"] for row in found] == ["there"]


async def test_a_column_that_a_version_has_not_is_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/airflow.db"

    async with an_airflow(url, Version.TWO) as airflow:
        await airflow.dag("etl", is_paused=True)
        async with opened(url) as source:
            (row,) = await source.rows(select(*source.columns("dag", "dag_id", "is_active", "is_stale")))

    assert dict(row) == {"dag_id": "etl", "is_active": 1, "is_stale": None}
