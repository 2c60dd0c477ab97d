"""The schema: one table per thing, as SQLAlchemy Core tables.

Moments are BIGINT microseconds since 1970 UTC: one exact, ordered form in every database (`moments.py` converts).
Every index that a hot statement uses is partial and holds live rows only, so that history costs nothing. MySQL and
MariaDB have no partial indexes: theirs begin with the state, or with a column that is NULL in whatever is over.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)

from flowd.db import asset_tables, bundle_tables, cluster_tables, webhook_tables, xcom_tables
from flowd.db.columns import DOCUMENT, HASH, ID, KEY, MOMENT, SECONDS, live_index, quoted, whole_index
from flowd.domain.states import WAITING, RunState, TaskState

metadata = asset_tables.asset.metadata
"""Of every table: those of assets, bundles, the cluster, webhooks and XComs are among them."""

node, task_queue, webhook = cluster_tables.node, cluster_tables.task_queue, webhook_tables.webhook
xcom, stored_value = xcom_tables.xcom, xcom_tables.stored_value
bundle, bundle_content = bundle_tables.bundle, bundle_tables.bundle_content

LIVE_RUNS = (RunState.QUEUED.value, RunState.RUNNING.value)
FAILED_RUNS = (RunState.FAILED.value,)
UNSUCCESSFUL = (
    TaskState.FAILED.value,
    TaskState.REMOVED.value,
    TaskState.SKIPPED.value,
    TaskState.UPSTREAM_FAILED.value,
)
"""States in which few task instances end, and which people look for."""

dag_version = Table(
    "dag_version",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("dag_id", ID, nullable=False),
    Column("number", Integer, nullable=False),
    Column("hash", HASH, nullable=False),
    Column("spec", DOCUMENT, nullable=False),
    Column("bundle", HASH, nullable=False),
    Column("bundle_name", ID),
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
    Column("bundle_name", ID),
    Column("is_paused", Boolean(create_constraint=False), nullable=False),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    Column("is_restricted", Boolean(create_constraint=False), nullable=False),
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
    live_index("ix_dag_due", "next_run_after", where="is_active AND NOT is_paused AND next_run_after IS NOT NULL"),
    whole_index("ix_dag_next", "next_run_after"),
)

dag_favorite = Table(
    "dag_favorite",
    metadata,
    Column("username", ID, ForeignKey("account.username", ondelete="CASCADE"), primary_key=True),
    Column("dag_id", ID, ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True),
)

dag_reader = Table(
    "dag_reader",
    metadata,
    Column("dag_id", ID, primary_key=True),
    Column("name", ID, primary_key=True),
)
"""Whom a restricted DAG may be seen by."""

import_error = Table(
    "import_error",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("file", String(500), nullable=False, unique=True),
    Column("message", DOCUMENT, nullable=False),
    Column("at", MOMENT, nullable=False),
)

parse_request = Table("parse_request", metadata, Column("file", String(500), primary_key=True))

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
    Column("partition_key", ID),
    Column("partition_date", MOMENT),
    Column("run_after", MOMENT, nullable=False),
    Column("queued_at", MOMENT, nullable=False),
    Column("started_at", MOMENT),
    Column("ended_at", MOMENT),
    Column("timeout_at", MOMENT),
    Column("callback_due_at", MOMENT),
    Column("deadline_at", MOMENT),
    Column("backfill", KEY),
    Column("backfill_ordinal", Integer),
    UniqueConstraint("dag_id", "run_id"),
    UniqueConstraint("dag_id", "logical_date"),
    UniqueConstraint("dag_id", "idempotency_key"),
    CheckConstraint(f"state IN ({quoted(list(RunState))})", name="state"),
    Index("ix_dag_run_recent", "dag_id", "run_after", "id"),
    Index("ix_dag_run_dag", "dag_id", "id"),
    Index("ix_dag_run_run_after", "run_after", "id"),
    live_index("ix_dag_run_failed", "id", where="state = 'failed'"),
    live_index("ix_dag_run_live", "dag_id", "state", "id", where="state IN ('queued', 'running')"),
    live_index(
        "ix_dag_run_lane",
        "state",
        "backfill",
        "backfill_ordinal",
        "dag_id",
        "id",
        where="state IN ('queued', 'running')",
    ),
    live_index("ix_dag_run_news", "id", where="has_news AND state <> 'queued'"),
    live_index("ix_dag_run_timeout", "timeout_at", where="state = 'running' AND timeout_at IS NOT NULL"),
    live_index(
        "ix_dag_run_deadline", "deadline_at", where="state IN ('queued', 'running') AND deadline_at IS NOT NULL"
    ),
    live_index("ix_dag_run_callback", "callback_due_at", where="callback_due_at IS NOT NULL"),
    Index("ix_dag_run_ended", "ended_at"),
    whole_index("ix_dag_run_state", "state", "dag_id", "id"),
    whole_index("ix_dag_run_state_lane", "state", "backfill", "backfill_ordinal", "dag_id", "id"),
    whole_index("ix_dag_run_state_timeout", "state", "timeout_at"),
    whole_index("ix_dag_run_has_news", "has_news", "id"),
    whole_index("ix_dag_run_callback_due", "callback_due_at"),
    whole_index("ix_dag_run_deadline_at", "deadline_at"),
)

backfill = Table(
    "backfill",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("dag_id", ID, nullable=False),
    Column("dag_version", KEY, ForeignKey("dag_version.id"), nullable=False),
    Column("bundle", HASH, nullable=False),
    Column("from_date", MOMENT, nullable=False),
    Column("to_date", MOMENT, nullable=False),
    Column("conf", DOCUMENT),
    Column("reprocess_behavior", String(20), nullable=False),
    Column("is_backwards", Boolean(create_constraint=False), nullable=False),
    Column("max_active_runs", Integer, nullable=False),
    Column("run_on_latest_version", Boolean(create_constraint=False), nullable=False),
    Column("triggering_user", ID),
    Column("request", String(32), nullable=False, unique=True),
    Column("is_paused", Boolean(create_constraint=False), nullable=False),
    Column("is_cancelling", Boolean(create_constraint=False), nullable=False),
    Column("is_planned", Boolean(create_constraint=False), nullable=False),
    Column("planned", Integer, nullable=False),
    Column("handled", Integer, nullable=False),
    Column("last_interval_start", MOMENT),
    Column("last_interval_end", MOMENT),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    Column("completed_at", MOMENT),
    Index("ix_backfill_dag", "dag_id", "id"),
    Index("ix_backfill_completed", "completed_at"),
    live_index("ix_backfill_cancelling", "id", where="is_cancelling"),
    whole_index("ix_backfill_is_cancelling", "is_cancelling", "id"),
)

backfill_date = Table(
    "backfill_date",
    metadata,
    Column("backfill", KEY, ForeignKey("backfill.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("interval_start", MOMENT, nullable=False),
    Column("interval_end", MOMENT, nullable=False),
    Column("run_after", MOMENT, nullable=False),
    Column("run", KEY, ForeignKey("dag_run.id", ondelete="SET NULL")),
    Column("exception_reason", String(20)),
    Index("ix_backfill_date_run", "run"),
)

task_instance = Table(
    "task_instance",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("run", KEY, ForeignKey("dag_run.id", ondelete="CASCADE"), nullable=False),
    Column("dag_id", ID, nullable=False),
    Column("task_id", ID, nullable=False),
    Column("map_index", Integer, nullable=False),
    Column("rendered_map_index", String(250)),
    Column("note", DOCUMENT),
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
    CheckConstraint(f"state IN ({quoted(list(TaskState))})", name="state"),
    CheckConstraint(
        "(state = 'running' AND token IS NOT NULL AND lease_until IS NOT NULL)"
        " OR (state <> 'running' AND token IS NULL AND lease_until IS NULL)",
        name="running_holds_token",
    ),
    live_index("ix_task_instance_scheduled", "run", text("priority DESC"), "id", where="state = 'scheduled'"),
    live_index("ix_task_instance_queued", "queue", text("priority DESC"), "id", where="state = 'queued'"),
    live_index("ix_task_instance_ring", "ring_at", where="state = 'queued'"),
    live_index("ix_task_instance_slots", "pool", "run", where="state IN ('queued', 'running')"),
    live_index("ix_task_instance_lease", "lease_until", where="state = 'running'"),
    live_index("ix_task_instance_waiting", "not_before", where=f"state IN ({quoted(list(WAITING))})"),
    live_index("ix_task_instance_restarting", "held_until", where="state = 'restarting'"),
    live_index("ix_task_instance_news", "run", where="needs_propagation"),
    Index("ix_task_instance_dag", "dag_id", "id"),
    live_index("ix_task_instance_unsuccessful", "state", "id", where=f"state IN ({quoted(UNSUCCESSFUL)})"),
    whole_index("ix_task_instance_run_state", "run", "state", text("priority DESC"), "id"),
    whole_index("ix_task_instance_state", "state", "queue", text("priority DESC"), "id"),
    whole_index("ix_task_instance_ring_at", "ring_at"),
    whole_index("ix_task_instance_lease_until", "lease_until"),
    whole_index("ix_task_instance_not_before", "not_before"),
    whole_index("ix_task_instance_untold", "needs_propagation", "run"),
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
    live_index("ix_deferral_open", "triggerer", "lease_until", where="is_open"),
    whole_index("ix_deferral_is_open", "is_open", "triggerer", "lease_until"),
)

task_state = Table(
    "task_state",
    metadata,
    Column("instance", KEY, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(500), primary_key=True),
    Column("value", DOCUMENT, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("expires_at", MOMENT),
)

pool = Table(
    "pool",
    metadata,
    Column("name", String(250), primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("description", DOCUMENT),
    Column("include_deferred", Boolean(create_constraint=False), nullable=False, server_default=false()),
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
    Column("identity", HASH, unique=True),
    Column("role", String(20), nullable=False),
    Column("member_of", DOCUMENT, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    Column("created_at", MOMENT, nullable=False),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("at", MOMENT, nullable=False),
    Column("event", String(100), nullable=False),
    Column("owner", ID, nullable=False),
    Column("dag_id", ID),
    Column("run_id", ID),
    Column("task_id", ID),
    Column("map_index", Integer),
    Column("try_number", Integer),
    Column("extra", DOCUMENT, nullable=False),
    Index("ix_audit_event_at", "at"),
    Index("ix_audit_event_dag", "dag_id", "id"),
)
"""Only ever added to: see `flowd.db.audit`."""

login_session = Table(
    "login_session",
    metadata,
    Column("token_hash", HASH, primary_key=True),
    Column("username", ID, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Index("ix_login_session_username", "username"),
    Index("ix_login_session_expires_at", "expires_at"),
)

api_token = Table(
    "api_token",
    metadata,
    Column("token_hash", HASH, primary_key=True),
    Column("username", ID, nullable=False),
    Column("name", String(100), nullable=False),
    Column("role", String(20), nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("last_used_at", MOMENT),
    Column("last_used_from", String(100)),
    UniqueConstraint("username", "name"),
)

login_link = Table(
    "login_link",
    metadata,
    Column("token_hash", HASH, primary_key=True),
    Column("username", ID, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
)
