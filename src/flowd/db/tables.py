"""The schema: one table per thing, as SQLAlchemy Core tables.

Moments are BIGINT microseconds since 1970 UTC: one exact, ordered form in every database (`moments.py` converts).
Every index that a hot statement uses is partial and holds live rows only, so that history costs nothing. MySQL and
MariaDB have no partial indexes: theirs begin with the state, or with a column that is NULL in whatever is over.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.mysql import DOUBLE, LONGBLOB, LONGTEXT
from sqlalchemy.engine import Dialect

from flowd.domain.states import WAITING, RunState, TaskState

WHOLE = "whole"
"""The mark, in an index's `info`, of those that only MySQL and MariaDB have."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

KEY = BigInteger().with_variant(Integer, "sqlite")
MOMENT = BigInteger()
ID = String(250)
HASH = String(64)
SECONDS = Float().with_variant(DOUBLE, "mysql", "mariadb")
DOCUMENT = Text().with_variant(LONGTEXT, "mysql", "mariadb")
CONTENT = LargeBinary().with_variant(LONGBLOB, "mysql", "mariadb")


def _states(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


def _live(name: str, *columns: TextClause | str, where: str) -> Index:
    """An index on live rows only."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where)).ddl_if(
        callable_=lambda *found, **more: not _is_mysql(*found, **more)
    )


def _whole(name: str, *columns: TextClause | str) -> Index:
    """What stands for indexes of live rows where there are none."""
    return Index(name, *columns, info={WHOLE: True}).ddl_if(callable_=_is_mysql)


def _is_mysql(*_: object, dialect: Dialect, **__: object) -> bool:
    return dialect.name in ("mysql", "mariadb")


bundle = Table(
    "bundle",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("manifest", DOCUMENT, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", MOMENT, nullable=False),
)

bundle_content = Table(
    "bundle_content",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("content", CONTENT, nullable=False),
)

dag_version = Table(
    "dag_version",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("dag_id", ID, nullable=False),
    Column("number", Integer, nullable=False),
    Column("hash", HASH, nullable=False),
    Column("spec", DOCUMENT, nullable=False),
    Column("bundle", HASH, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    UniqueConstraint("dag_id", "number"),
    UniqueConstraint("dag_id", "hash"),
)

dag = Table(
    "dag",
    metadata,
    Column("dag_id", ID, primary_key=True),
    Column("file", String(1000), nullable=False),
    Column("version", KEY, ForeignKey("dag_version.id"), nullable=False),
    Column("bundle", HASH, nullable=False),
    Column("is_paused", Boolean(create_constraint=False), nullable=False),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    Column("warnings", DOCUMENT, nullable=False, server_default=text("'[]'")),
    Column("first_seen_at", MOMENT, nullable=False),
    Column("parsed_at", MOMENT, nullable=False),
    Column("parse_seconds", SECONDS, nullable=False),
    Column("last_interval_start", MOMENT),
    Column("last_interval_end", MOMENT),
    Column("next_run_after", MOMENT),
    Column("next_logical_date", MOMENT),
    Column("next_interval_start", MOMENT),
    Column("next_interval_end", MOMENT),
    _live("ix_dag_due", "next_run_after", where="is_active AND NOT is_paused AND next_run_after IS NOT NULL"),
    _whole("ix_dag_next", "next_run_after"),
)

import_error = Table(
    "import_error",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("file", String(500), nullable=False, unique=True),
    Column("message", DOCUMENT, nullable=False),
    Column("at", MOMENT, nullable=False),
)

dag_run = Table(
    "dag_run",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("dag_id", ID, nullable=False),
    Column("run_id", ID, nullable=False),
    Column("dag_version", KEY, ForeignKey("dag_version.id"), nullable=False),
    Column("bundle", HASH, nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("unfinished", Integer, nullable=False),
    Column("has_news", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("run_type", String(30), nullable=False),
    Column("triggered_by", String(20), nullable=False),
    Column("triggering_user", ID),
    Column("conf", DOCUMENT, nullable=False),
    Column("note", DOCUMENT),
    Column("idempotency_key", String(200)),
    Column("logical_date", MOMENT),
    Column("data_interval_start", MOMENT),
    Column("data_interval_end", MOMENT),
    Column("run_after", MOMENT, nullable=False),
    Column("queued_at", MOMENT, nullable=False),
    Column("started_at", MOMENT),
    Column("ended_at", MOMENT),
    Column("timeout_at", MOMENT),
    Column("callback_due_at", MOMENT),
    Column("deadline_at", MOMENT),
    UniqueConstraint("dag_id", "run_id"),
    UniqueConstraint("dag_id", "logical_date"),
    UniqueConstraint("dag_id", "idempotency_key"),
    CheckConstraint(f"state IN ({_states(list(RunState))})", name="state"),
    Index("ix_dag_run_recent", "dag_id", "run_after"),
    _live("ix_dag_run_live", "dag_id", "state", "id", where="state IN ('queued', 'running')"),
    _live("ix_dag_run_news", "id", where="has_news AND state <> 'queued'"),
    _live("ix_dag_run_timeout", "timeout_at", where="state = 'running' AND timeout_at IS NOT NULL"),
    _live("ix_dag_run_deadline", "deadline_at", where="state IN ('queued', 'running') AND deadline_at IS NOT NULL"),
    _live("ix_dag_run_callback", "callback_due_at", where="callback_due_at IS NOT NULL"),
    Index("ix_dag_run_ended", "ended_at"),
    _whole("ix_dag_run_state", "state", "dag_id", "id"),
    _whole("ix_dag_run_state_timeout", "state", "timeout_at"),
    _whole("ix_dag_run_has_news", "has_news", "id"),
    _whole("ix_dag_run_callback_due", "callback_due_at"),
    _whole("ix_dag_run_deadline_at", "deadline_at"),
)

task_instance = Table(
    "task_instance",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("run", KEY, ForeignKey("dag_run.id", ondelete="CASCADE"), nullable=False),
    Column("dag_id", ID, nullable=False),
    Column("task_id", ID, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("try_number", Integer, nullable=False),
    Column("max_tries", Integer, nullable=False),
    Column("leg", Integer, nullable=False, server_default=text("0")),
    Column("lost", Integer, nullable=False, server_default=text("0")),
    Column("token", String(32)),
    Column("worker", String(200)),
    Column("lease_until", MOMENT),
    Column("heartbeats", BigInteger, nullable=False, server_default=text("0")),
    Column("is_cancel_requested", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("held_until", MOMENT),
    Column("not_before", MOMENT),
    Column("waits_since", MOMENT),
    Column("skips", DOCUMENT),
    Column("needs_propagation", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("scheduled_at", MOMENT),
    Column("queued_at", MOMENT),
    Column("started_at", MOMENT),
    Column("ended_at", MOMENT),
    Column("dispatched_at", MOMENT),
    Column("ring_at", MOMENT),
    Column("rings", Integer, nullable=False, server_default=text("0")),
    Column("operator", String(200), nullable=False),
    Column("pool", String(250), nullable=False),
    Column("pool_slots", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("queue", String(250), nullable=False),
    Column("up_success", Integer, nullable=False, server_default=text("0")),
    Column("up_failed", Integer, nullable=False, server_default=text("0")),
    Column("up_skipped", Integer, nullable=False, server_default=text("0")),
    Column("up_upstream_failed", Integer, nullable=False, server_default=text("0")),
    Column("up_removed", Integer, nullable=False, server_default=text("0")),
    Column("up_extra", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("run", "task_id", "map_index"),
    CheckConstraint(f"state IN ({_states(list(TaskState))})", name="state"),
    CheckConstraint(
        "(state = 'running' AND token IS NOT NULL AND lease_until IS NOT NULL)"
        " OR (state <> 'running' AND token IS NULL AND lease_until IS NULL)",
        name="running_holds_token",
    ),
    _live("ix_task_instance_scheduled", "run", text("priority DESC"), "id", where="state = 'scheduled'"),
    _live("ix_task_instance_queued", "queue", text("priority DESC"), "id", where="state = 'queued'"),
    _live("ix_task_instance_ring", "ring_at", where="state = 'queued'"),
    _live("ix_task_instance_slots", "pool", "run", where="state IN ('queued', 'running')"),
    _live("ix_task_instance_lease", "lease_until", where="state = 'running'"),
    _live("ix_task_instance_waiting", "not_before", where=f"state IN ({_states(list(WAITING))})"),
    _live("ix_task_instance_restarting", "held_until", where="state = 'restarting'"),
    _live("ix_task_instance_news", "run", where="needs_propagation"),
    _whole("ix_task_instance_run_state", "run", "state", text("priority DESC"), "id"),
    _whole("ix_task_instance_state", "state", "queue", text("priority DESC"), "id"),
    _whole("ix_task_instance_ring_at", "ring_at"),
    _whole("ix_task_instance_lease_until", "lease_until"),
    _whole("ix_task_instance_not_before", "not_before"),
    _whole("ix_task_instance_untold", "needs_propagation", "run"),
)

task_transition = Table(
    "task_transition",
    metadata,
    Column("instance", KEY, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("from_state", String(20), nullable=False),
    Column("to_state", String(20), nullable=False),
    Column("cause", String(60), nullable=False),
    Column("try_number", Integer, nullable=False),
    Column("token", String(32)),
    Column("at", MOMENT, nullable=False),
)

run_transition = Table(
    "run_transition",
    metadata,
    Column("run", KEY, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("from_state", String(20), nullable=False),
    Column("to_state", String(20), nullable=False),
    Column("cause", String(60), nullable=False),
    Column("at", MOMENT, nullable=False),
)

attempt = Table(
    "attempt",
    metadata,
    Column("instance", KEY, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("try_number", Integer, primary_key=True),
    Column("token", String(32), nullable=False),
    Column("worker", String(200), nullable=False),
    Column("cause", String(60), nullable=False),
    Column("queued_at", MOMENT),
    Column("started_at", MOMENT),
    Column("ended_at", MOMENT, nullable=False),
    Column("exit_code", Integer),
    Column("exit_signal", Integer),
    Column("cpu_seconds", SECONDS),
    Column("peak_rss_bytes", BigInteger),
    Column("is_log_truncated", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("error", DOCUMENT),
)

rendered = Table(
    "rendered",
    metadata,
    Column("instance", KEY, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("try_number", Integer, primary_key=True),
    Column("fields", DOCUMENT, nullable=False),
)

hitl_detail = Table(
    "hitl_detail",
    metadata,
    Column("instance", KEY, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("try_number", Integer, primary_key=True, autoincrement=False),
    Column("subject", DOCUMENT, nullable=False),
    Column("body", DOCUMENT),
    Column("request", DOCUMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("is_answered", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("answer", DOCUMENT),
    Column("responded_at", MOMENT),
    Column("responded_by", ID),
)

deferral = Table(
    "deferral",
    metadata,
    Column("instance", KEY, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("try_number", Integer, nullable=False),
    Column("leg", Integer, nullable=False),
    Column("token", String(32), nullable=False, unique=True),
    Column("resume", DOCUMENT, nullable=False),
    Column("classpath", String(500)),
    Column("kwargs", DOCUMENT),
    Column("file", String(1000)),
    Column("is_in_bundle", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("is_open", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("triggerer", String(200)),
    Column("lease_until", MOMENT),
    _live("ix_deferral_open", "triggerer", "lease_until", where="is_open"),
    _whole("ix_deferral_is_open", "is_open", "triggerer", "lease_until"),
)

xcom = Table(
    "xcom",
    metadata,
    Column("instance", KEY, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(500), primary_key=True),
    Column("value", DOCUMENT, nullable=False),
    Column("length", Integer),
    Column("at", MOMENT, nullable=False),
)

pool = Table(
    "pool",
    metadata,
    Column("name", String(250), primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("description", DOCUMENT),
    Column("include_deferred", Boolean(create_constraint=False), nullable=False, server_default=false()),
)

asset = Table(
    "asset",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("name", ID, nullable=False, unique=True),
    Column("uri", String(1500), nullable=False),
    Column("asset_group", ID, nullable=False),
    Column("extra", DOCUMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
)

asset_alias = Table(
    "asset_alias",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("name", ID, nullable=False, unique=True),
    Column("asset_group", ID, nullable=False),
)

asset_alias_member = Table(
    "asset_alias_member",
    metadata,
    Column("asset", KEY, primary_key=True, autoincrement=False),
    Column("alias", ID, primary_key=True),
)

asset_use = Table(
    "asset_use",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("dag_id", ID, nullable=False),
    Column("task_id", ID),
    Column("kind", String(20), nullable=False),
    Column("name", ID, nullable=False),
    Column("at", MOMENT, nullable=False),
    Index("ix_asset_use_dag", "dag_id"),
    Index("ix_asset_use_name", "name", "kind"),
)

asset_event = Table(
    "asset_event",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("asset", KEY, nullable=False),
    Column("alias", ID),
    Column("extra", DOCUMENT, nullable=False),
    Column("source_dag_id", ID),
    Column("source_task_id", ID),
    Column("source_run_id", ID),
    Column("source_map_index", Integer, nullable=False),
    Column("at", MOMENT, nullable=False),
    Index("ix_asset_event_asset", "asset", "id"),
    Index("ix_asset_event_at", "at"),
)

asset_event_queue = Table(
    "asset_event_queue",
    metadata,
    Column("dag_id", ID, primary_key=True),
    Column("event", KEY, primary_key=True, autoincrement=False),
    Column("asset", KEY, nullable=False),
    Column("at", MOMENT, nullable=False),
)

asset_event_run = Table(
    "asset_event_run",
    metadata,
    Column("run", KEY, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("event", KEY, primary_key=True, autoincrement=False),
    Index("ix_asset_event_run_event", "event"),
)

variable = Table(
    "variable",
    metadata,
    Column("name", ID, primary_key=True),
    Column("value", DOCUMENT, nullable=False),
    Column("description", DOCUMENT),
)

connection = Table(
    "connection",
    metadata,
    Column("conn_id", ID, primary_key=True),
    Column("conn_type", String(500), nullable=False),
    Column("document", DOCUMENT, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("username", ID, primary_key=True),
    Column("password_hash", String(500)),
    Column("role", String(20), nullable=False),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    Column("created_at", MOMENT, nullable=False),
)

login_link = Table(
    "login_link",
    metadata,
    Column("token_hash", HASH, primary_key=True),
    Column("username", ID, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
)

node = Table(
    "node",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", String(250), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("roles", String(100), nullable=False),
    Column("queues", String(1000), nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("wanted_concurrency", Integer),
    Column("running", Integer, nullable=False),
    Column("started_at", MOMENT, nullable=False),
    Column("seen_at", MOMENT, nullable=False),
)
