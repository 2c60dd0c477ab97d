"""Metastores as Airflow 2.10 and 3.1 make them: the tables of which something is read, with all their columns."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PickleType,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    insert,
    text,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import SchemaItem

from flowd.db.dialect import Kind
from flowd.db.engine import connect_mysql
from flowd.db.metastore_url import normalise

KEY = Fernet.generate_key().decode()
DAY = timedelta(days=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

_MOMENT = DateTime(timezone=True).with_variant(mysql.TIMESTAMP(fsp=6), "mysql", "mariadb")
_JSON = JSON().with_variant(postgresql.JSONB(), "postgresql")
_ID = String(250)


class Version(StrEnum):
    """Which Airflow made the tables."""

    TWO = "2.10"
    THREE = "3.1"


def a_moment(name: str) -> Column[Any]:
    return Column(name, _MOMENT, nullable=True)


def schema(version: Version) -> MetaData:
    """The tables of this version."""
    metadata = MetaData()
    is_three = version is Version.THREE
    Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))
    Table(
        "variable",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("key", _ID, unique=True),
        Column("val", Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")),
        Column("description", Text),
        Column("is_encrypted", Boolean),
    )
    Table(
        "connection",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("conn_id", _ID, unique=True, nullable=False),
        Column("conn_type", String(500), nullable=False),
        Column("description", Text),
        Column("host", String(500)),
        Column("schema", String(500)),
        Column("login", Text),
        Column("password", Text),
        Column("port", Integer),
        Column("is_encrypted", Boolean),
        Column("is_extra_encrypted", Boolean),
        Column("extra", Text),
    )
    Table(
        "slot_pool",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("pool", String(256), unique=True),
        Column("slots", Integer),
        Column("description", Text),
        Column("include_deferred", Boolean, nullable=False),
    )
    Table(
        "dag",
        metadata,
        Column("dag_id", _ID, primary_key=True),
        Column("is_paused", Boolean),
        *([Column("is_stale", Boolean)] if is_three else [Column("is_subdag", Boolean), Column("is_active", Boolean)]),
        a_moment("last_parsed_time"),
        Column("fileloc", String(2000)),
        Column("max_active_runs", Integer),
        a_moment("next_dagrun"),
        a_moment("next_dagrun_data_interval_start"),
        a_moment("next_dagrun_data_interval_end"),
        a_moment("next_dagrun_create_after"),
    )
    _history(metadata, is_three)
    return metadata


def _history(metadata: MetaData, is_three: bool) -> None:
    date = "logical_date" if is_three else "execution_date"
    of_run: list[Column[Any]] = (
        [
            Column("conf", _JSON),
            Column("run_after", _MOMENT, nullable=False),
            Column("triggered_by", String(50)),
            Column("triggering_user_name", String(512)),
            Column("bundle_version", String(250)),
            Column("backfill_id", Integer),
        ]
        if is_three
        else [Column("conf", PickleType), Column("external_trigger", Boolean), Column("dag_hash", String(32))]
    )
    Table(
        "dag_run",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("dag_id", _ID, nullable=False),
        a_moment("queued_at"),
        Column(date, _MOMENT, nullable=is_three),
        a_moment("start_date"),
        a_moment("end_date"),
        Column("state", String(50)),
        Column("run_id", _ID, nullable=False),
        Column("creating_job_id", Integer),
        Column("run_type", String(50), nullable=False),
        a_moment("data_interval_start"),
        a_moment("data_interval_end"),
        a_moment("last_scheduling_decision"),
        Column("log_template_id", Integer),
        a_moment("updated_at"),
        Column("clear_number", Integer),
        *of_run,
        UniqueConstraint("dag_id", date, name="dag_run_dag_id_date_key"),
        UniqueConstraint("dag_id", "run_id", name="dag_run_dag_id_run_id_key"),
    )
    Table(
        "dag_run_note",
        metadata,
        Column("user_id", String(128)),
        Column("dag_run_id", ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True),
        Column("content", String(1000)),
        a_moment("created_at"),
        a_moment("updated_at"),
    )
    names: list[SchemaItem] = [
        Column("task_id", _ID, nullable=False, primary_key=not is_three),
        Column("dag_id", _ID, nullable=False, primary_key=not is_three),
        Column("run_id", _ID, nullable=False, primary_key=not is_three),
        Column("map_index", Integer, nullable=False, primary_key=not is_three),
    ]
    if is_three:
        names += [
            Column("id", Uuid, primary_key=True),
            a_moment("scheduled_dttm"),
            UniqueConstraint("dag_id", "task_id", "run_id", "map_index"),
        ]
    Table(
        "task_instance",
        metadata,
        *names,
        a_moment("start_date"),
        a_moment("end_date"),
        Column("duration", Float),
        Column("state", String(20)),
        Column("try_number", Integer),
        Column("max_tries", Integer, server_default=text("-1")),
        Column("hostname", String(1000)),
        Column("unixname", String(1000)),
        Column("pool", String(256), nullable=False),
        Column("pool_slots", Integer, nullable=False),
        Column("queue", String(256)),
        Column("priority_weight", Integer),
        Column("operator", String(1000)),
        Column("custom_operator_name", String(1000)),
        a_moment("queued_dttm"),
        Column("queued_by_job_id", Integer),
        Column("pid", Integer),
        Column("executor", String(1000)),
        Column("executor_config", LargeBinary),
        a_moment("updated_at"),
        Column("rendered_map_index", String(250)),
        Column("external_executor_id", String(250)),
        Column("next_method", String(1000)),
        Column("task_display_name", String(2000)),
        Index("ti_dag_run", "dag_id", "run_id"),
    )
    of_instance: list[Column[Any]] = (
        [Column("ti_id", Uuid, primary_key=True)]
        if is_three
        else [
            *(Column(name, _ID, primary_key=True) for name in ("task_id", "dag_id", "run_id")),
            Column("map_index", Integer, primary_key=True),
        ]
    )
    Table("task_instance_note", metadata, *of_instance, Column("user_id", String(128)), Column("content", String(1000)))


class AirflowMetastore:
    """A metastore of Airflow, filled as Airflow would fill it."""

    def __init__(self, url: str, version: Version, engine: AsyncEngine, metadata: MetaData) -> None:
        self.url = url
        self.version = version
        self._engine = engine
        self._metadata = metadata

    async def add(self, table: str, **row: Any) -> int:
        """Insert a row, and return its key where that is a number."""
        async with self._engine.begin() as connection:
            made = await connection.execute(insert(self._metadata.tables[table]).values(**row))
            key = made.inserted_primary_key
            return key[0] if key is not None and isinstance(key[0], int) else 0

    async def execute(self, statement: str) -> None:
        """Run a statement."""
        async with self._engine.begin() as connection:
            await connection.execute(text(statement))

    async def pool(self, name: str, slots: int, *, description: str = "", include_deferred: bool = False) -> None:
        """Add a pool."""
        await self.add("slot_pool", pool=name, slots=slots, description=description, include_deferred=include_deferred)

    async def variable(self, name: str, value: str, *, key: str | None = KEY, description: str | None = None) -> None:
        """Add a variable, encrypted with `key`, None for in clear."""
        val = value if key is None else encrypted(value, key)
        await self.add("variable", key=name, val=val, is_encrypted=key is not None, description=description)

    async def connection(self, conn_id: str, *, password: str = "", extra: str = "", **fields: Any) -> None:
        """Add a connection, its password and extra encrypted."""
        await self.add(
            "connection",
            conn_id=conn_id,
            password=encrypted(password) if password else None,
            extra=encrypted(extra) if extra else None,
            is_encrypted=bool(password),
            is_extra_encrypted=bool(extra),
            **({"conn_type": "postgres"} | fields),
        )

    async def dag(self, dag_id: str, *, is_paused: bool, is_there: bool = True) -> None:
        """Add a DAG."""
        there = {"is_stale": not is_there} if self.version is Version.THREE else {"is_active": is_there}
        await self.add("dag", dag_id=dag_id, is_paused=is_paused, **there)

    async def run(
        self,
        dag_id: str,
        date: datetime,
        tasks: dict[str, str | None] | None = None,
        *,
        state: str = "success",
        run_type: str = "scheduled",
        note: str | None = None,
        **fields: Any,
    ) -> str:
        """Add a run of this logical date that began a minute later and took ten, with a task instance for each task."""
        run_id: str = fields.pop("run_id", f"{run_type}__{date.isoformat()}")
        started, ended = date + timedelta(minutes=1), date + timedelta(minutes=11)
        is_three = self.version is Version.THREE
        of_version = (
            {"logical_date": date, "run_after": date, "triggered_by": "TIMETABLE"}
            if is_three
            else {"execution_date": date, "external_trigger": run_type == "manual"}
        )
        row = {
            "dag_id": dag_id,
            "run_id": run_id,
            "state": state,
            "run_type": run_type,
            "queued_at": date,
            "start_date": started,
            "end_date": ended if state in ("success", "failed") else None,
            "data_interval_start": date,
            "data_interval_end": date,
            "conf": {},
        }
        key = await self.add("dag_run", **{**row, **of_version, **fields})
        if note is not None:
            await self.add("dag_run_note", dag_run_id=key, content=note)
        for task_id, task_state in (tasks or {}).items():
            await self.instance(dag_id, run_id, task_id, task_state, started)
        return run_id

    async def instance(
        self, dag_id: str, run_id: str, task_id: str, state: str | None, started: datetime, **fields: Any
    ) -> None:
        """Add a task instance that ran for five minutes; one that never ran has no dates."""
        has_run = state in ("success", "failed", "running")
        row = {
            "dag_id": dag_id,
            "run_id": run_id,
            "task_id": task_id,
            "map_index": -1,
            "state": state,
            "try_number": int(has_run),
            "max_tries": 1,
            "hostname": "celery-1" if has_run else "",
            "pool": "default_pool",
            "pool_slots": 1,
            "queue": "default",
            "priority_weight": 2,
            "operator": "BashOperator",
            "queued_dttm": started if has_run else None,
            "start_date": started if has_run else None,
            "end_date": started + timedelta(minutes=5) if state in ("success", "failed") else None,
        }
        note = fields.pop("note", None)
        names = {name: (row | fields)[name] for name in ("dag_id", "run_id", "task_id", "map_index")}
        of_version = {"id": uuid.uuid4()} if self.version is Version.THREE else {}
        await self.add("task_instance", **{**row, **fields, **of_version})
        if note is not None:
            whose = {"ti_id": of_version["id"]} if of_version else names
            await self.add("task_instance_note", content=note, **whose)


def encrypted(value: str, key: str = KEY) -> str:
    """The value as Airflow stores it."""
    return Fernet(key).encrypt(value.encode()).decode()


@asynccontextmanager
async def an_airflow(url: str, version: Version) -> AsyncIterator[AirflowMetastore]:
    """The tables of this version, made in the empty database at `url`."""
    normal, kind = normalise(url)
    creator: dict[str, Any] = {"async_creator": lambda: connect_mysql(normal)} if kind is Kind.MYSQL else {}
    engine = create_async_engine(normal, poolclass=NullPool, **creator)
    metadata = schema(version)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield AirflowMetastore(url, version, engine, metadata)
    finally:
        await engine.dispose()


async def fill(airflow: AirflowMetastore) -> None:
    """Put something of everything into it.

    `etl` goes on and has three ended runs and one that runs; `gone` is a DAG that only Airflow has.
    """
    await airflow.pool("default_pool", 64)
    await airflow.pool("gpu", 2, description="cards", include_deferred=True)
    await airflow.variable("plain", "clear", key=None)
    await airflow.variable("api_token", "hunter2", description="of the shop")
    await airflow.connection(
        "warehouse", host="db", login="ada", password="hunter3", schema="main", port=5432, extra='{"role": "hunter4"}'
    )
    await airflow.connection("odd", conn_type="http", extra="no json")
    await airflow.dag("etl", is_paused=False)
    await airflow.dag("gone", is_paused=True)
    await airflow.dag("old", is_paused=True, is_there=False)
    await airflow.run("etl", NOON - 3 * DAY, {"extract": "success", "load": "success"}, note="well done")
    await airflow.run("etl", NOON - 2 * DAY, {"extract": "failed", "load": "upstream_failed"}, state="failed")
    run_id = await airflow.run("etl", NOON - DAY, {"extract": "success"}, run_type="manual", conf={"rows": [1, 2]})
    await airflow.instance("etl", run_id, "load", "failed", NOON - DAY, try_number=2, max_tries=1, note="look at this")
    await airflow.run("etl", NOON, {"extract": "running", "load": None}, state="running")
    await airflow.run("gone", NOON, {"t": "success"})
