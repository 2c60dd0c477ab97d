"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DOUBLE, LONGBLOB, LONGTEXT

from flowd.db.migrations.v0001_access import create_access_tables
from flowd.db.migrations.v0001_assets import create_asset_tables
from flowd.db.migrations.v0001_bundles import BUNDLE_TABLES, create_bundle_tables
from flowd.db.migrations.v0001_indexes import INDEXES, LIVE_INDEXES, WHOLE_INDEXES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()
ID = sa.String(length=250)
HASH = sa.String(length=64)
SECONDS = sa.Float().with_variant(DOUBLE(), "mysql", "mariadb")
DOCUMENT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
CONTENT = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")

DEFAULT_POOL = {"name": "default_pool", "slots": 128, "description": "Default pool", "include_deferred": False}
"""As Airflow makes it: tasks that name no pool count here."""


def upgrade() -> None:
    """Make every table."""
    create_access_tables()
    create_bundle_tables()
    op.create_table(
        "connection",
        sa.Column("conn_id", ID, nullable=False),
        sa.Column("conn_type", sa.String(length=500), nullable=False),
        sa.Column("document", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("conn_id", name="pk_connection"),
    )
    op.create_table(
        "dag_version",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hash", HASH, nullable=False),
        sa.Column("spec", DOCUMENT, nullable=False),
        sa.Column("bundle", HASH, nullable=False),
        sa.Column("bundle_name", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dag_version"),
        sa.UniqueConstraint("dag_id", "hash", name="uq_dag_version_dag_id_hash"),
        sa.UniqueConstraint("dag_id", "number", name="uq_dag_version_dag_id_number"),
    )
    op.create_table(
        "import_error",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("file", sa.String(length=500), nullable=False),
        sa.Column("message", DOCUMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_import_error"),
        sa.UniqueConstraint("file", name="uq_import_error_file"),
    )
    op.create_table(
        "parse_request",
        sa.Column("file", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("file", name="pk_parse_request"),
    )
    op.create_table(
        "node",
        sa.Column("id", HASH, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("host", ID, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("roles", sa.String(length=100), nullable=False),
        sa.Column("queues", sa.String(length=1000), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("wanted_concurrency", sa.Integer(), nullable=True),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("is_taking_work", sa.Boolean(), nullable=False),
        sa.Column("is_to_drain", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_node"),
    )
    op.create_table(
        "task_queue",
        sa.Column("name", ID, nullable=False),
        sa.Column("paused_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_task_queue"),
    )
    op.create_table(
        "pool",
        sa.Column("name", ID, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("description", DOCUMENT, nullable=True),
        sa.Column("include_deferred", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_pool"),
    )
    op.create_table(
        "variable",
        sa.Column("name", ID, nullable=False),
        sa.Column("value", DOCUMENT, nullable=False),
        sa.Column("description", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_variable"),
    )
    op.create_table(
        "dag",
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("file", sa.String(length=1000), nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("bundle", HASH, nullable=False),
        sa.Column("bundle_name", ID, nullable=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_restricted", sa.Boolean(), nullable=False),
        sa.Column("warnings", DOCUMENT, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("parsed_at", MOMENT, nullable=False),
        sa.Column("parse_seconds", SECONDS, nullable=False),
        sa.Column("last_interval_start", MOMENT, nullable=True),
        sa.Column("last_interval_end", MOMENT, nullable=True),
        sa.Column("next_run_after", MOMENT, nullable=True),
        sa.Column("next_logical_date", MOMENT, nullable=True),
        sa.Column("next_interval_start", MOMENT, nullable=True),
        sa.Column("next_interval_end", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["version"], ["dag_version.id"], name="fk_dag_version"),
        sa.PrimaryKeyConstraint("dag_id", name="pk_dag"),
    )
    op.create_table(
        "dag_favorite",
        sa.Column("username", ID, nullable=False),
        sa.Column("dag_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["username"], ["account.username"], ondelete="CASCADE", name="fk_dag_favorite_username"
        ),
        sa.ForeignKeyConstraint(["dag_id"], ["dag.dag_id"], ondelete="CASCADE", name="fk_dag_favorite_dag_id"),
        sa.PrimaryKeyConstraint("username", "dag_id", name="pk_dag_favorite"),
    )
    op.create_table(
        "dag_run",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("dag_version", KEY, nullable=False),
        sa.Column("bundle", HASH, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("unfinished", sa.Integer(), nullable=False),
        sa.Column("has_news", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("run_type", sa.String(length=30), nullable=False),
        sa.Column("triggered_by", sa.String(length=20), nullable=False),
        sa.Column("triggering_user", ID, nullable=True),
        sa.Column("conf", DOCUMENT, nullable=False),
        sa.Column("note", DOCUMENT, nullable=True),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("logical_date", MOMENT, nullable=True),
        sa.Column("data_interval_start", MOMENT, nullable=True),
        sa.Column("data_interval_end", MOMENT, nullable=True),
        sa.Column("partition_key", ID, nullable=True),
        sa.Column("partition_date", MOMENT, nullable=True),
        sa.Column("run_after", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("timeout_at", MOMENT, nullable=True),
        sa.Column("callback_due_at", MOMENT, nullable=True),
        sa.Column("deadline_at", MOMENT, nullable=True),
        sa.Column("backfill", KEY, nullable=True),
        sa.Column("backfill_ordinal", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('failed', 'queued', 'running', 'success')", name=op.f("ck_dag_run_state")),
        sa.ForeignKeyConstraint(["dag_version"], ["dag_version.id"], name="fk_dag_run_dag_version"),
        sa.PrimaryKeyConstraint("id", name="pk_dag_run"),
        sa.UniqueConstraint("dag_id", "idempotency_key", name="uq_dag_run_dag_id_idempotency_key"),
        sa.UniqueConstraint("dag_id", "logical_date", name="uq_dag_run_dag_id_logical_date"),
        sa.UniqueConstraint("dag_id", "run_id", name="uq_dag_run_dag_id_run_id"),
    )
    op.create_table(
        "backfill",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("dag_version", KEY, nullable=False),
        sa.Column("bundle", HASH, nullable=False),
        sa.Column("from_date", MOMENT, nullable=False),
        sa.Column("to_date", MOMENT, nullable=False),
        sa.Column("conf", DOCUMENT, nullable=True),
        sa.Column("reprocess_behavior", sa.String(length=20), nullable=False),
        sa.Column("is_backwards", sa.Boolean(), nullable=False),
        sa.Column("max_active_runs", sa.Integer(), nullable=False),
        sa.Column("run_on_latest_version", sa.Boolean(), nullable=False),
        sa.Column("triggering_user", ID, nullable=True),
        sa.Column("request", sa.String(length=32), nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("is_cancelling", sa.Boolean(), nullable=False),
        sa.Column("is_planned", sa.Boolean(), nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("handled", sa.Integer(), nullable=False),
        sa.Column("last_interval_start", MOMENT, nullable=True),
        sa.Column("last_interval_end", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["dag_version"], ["dag_version.id"], name="fk_backfill_dag_version"),
        sa.PrimaryKeyConstraint("id", name="pk_backfill"),
        sa.UniqueConstraint("request", name="uq_backfill_request"),
    )
    op.create_table(
        "backfill_date",
        sa.Column("backfill", KEY, autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("interval_start", MOMENT, nullable=False),
        sa.Column("interval_end", MOMENT, nullable=False),
        sa.Column("run_after", MOMENT, nullable=False),
        sa.Column("run", KEY, nullable=True),
        sa.Column("exception_reason", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(["backfill"], ["backfill.id"], name="fk_backfill_date_backfill", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["run"], ["dag_run.id"], name="fk_backfill_date_run", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("backfill", "place", name="pk_backfill_date"),
    )
    create_asset_tables()
    op.create_table(
        "run_transition",
        sa.Column("run", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=False),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["dag_run.id"], name="fk_run_transition_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "version", name="pk_run_transition"),
    )
    op.create_table(
        "task_instance",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("run", KEY, nullable=False),
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("rendered_map_index", sa.String(length=250), nullable=True),
        sa.Column("note", DOCUMENT, nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("max_tries", sa.Integer(), nullable=False),
        sa.Column("leg", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lost", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("worker", sa.String(length=200), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("heartbeats", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_cancel_requested", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("held_until", MOMENT, nullable=True),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("waits_since", MOMENT, nullable=True),
        sa.Column("skips", DOCUMENT, nullable=True),
        sa.Column("needs_propagation", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("scheduled_at", MOMENT, nullable=True),
        sa.Column("queued_at", MOMENT, nullable=True),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("dispatched_at", MOMENT, nullable=True),
        sa.Column("ring_at", MOMENT, nullable=True),
        sa.Column("rings", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("operator", sa.String(length=200), nullable=False),
        sa.Column("pool", ID, nullable=False),
        sa.Column("pool_slots", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("queue", ID, nullable=False),
        sa.Column("up_success", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("up_failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("up_skipped", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("up_upstream_failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("up_removed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("up_extra", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "(state = 'running' AND token IS NOT NULL AND lease_until IS NOT NULL)"
            " OR (state <> 'running' AND token IS NULL AND lease_until IS NULL)",
            name=op.f("ck_task_instance_running_holds_token"),
        ),
        sa.CheckConstraint(
            "state IN ('deferred', 'failed', 'none', 'queued', 'removed', 'restarting', 'running',"
            " 'scheduled', 'skipped', 'success', 'up_for_reschedule', 'up_for_retry', 'upstream_failed')",
            name=op.f("ck_task_instance_state"),
        ),
        sa.ForeignKeyConstraint(["run"], ["dag_run.id"], name="fk_task_instance_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_task_instance"),
        sa.UniqueConstraint("run", "task_id", "map_index", name="uq_task_instance_run_task_id_map_index"),
    )
    op.create_table(
        "attempt",
        sa.Column("instance", KEY, nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=False),
        sa.Column("queued_at", MOMENT, nullable=True),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("exit_signal", sa.Integer(), nullable=True),
        sa.Column("cpu_seconds", SECONDS, nullable=True),
        sa.Column("peak_rss_bytes", sa.BigInteger(), nullable=True),
        sa.Column("is_log_truncated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("error", DOCUMENT, nullable=True),
        sa.ForeignKeyConstraint(["instance"], ["task_instance.id"], name="fk_attempt_instance", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance", "try_number", name="pk_attempt"),
    )
    op.create_table(
        "hitl_detail",
        sa.Column("instance", KEY, autoincrement=False, nullable=False),
        sa.Column("try_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subject", DOCUMENT, nullable=False),
        sa.Column("body", DOCUMENT, nullable=True),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("is_answered", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("answer", DOCUMENT, nullable=True),
        sa.Column("responded_at", MOMENT, nullable=True),
        sa.Column("responded_by", ID, nullable=True),
        sa.ForeignKeyConstraint(["instance"], ["task_instance.id"], name="fk_hitl_detail_instance", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance", "try_number", name="pk_hitl_detail"),
    )
    op.create_table(
        "deferral",
        sa.Column("instance", KEY, autoincrement=False, nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("resume", DOCUMENT, nullable=False),
        sa.Column("classpath", sa.String(length=500), nullable=True),
        sa.Column("kwargs", DOCUMENT, nullable=True),
        sa.Column("file", sa.String(length=1000), nullable=True),
        sa.Column("is_in_bundle", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("triggerer", sa.String(length=200), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["instance"], ["task_instance.id"], name="fk_deferral_instance", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance", name="pk_deferral"),
        sa.UniqueConstraint("token", name="uq_deferral_token"),
    )
    op.create_table(
        "rendered",
        sa.Column("instance", KEY, nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("fields", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["instance"], ["task_instance.id"], name="fk_rendered_instance", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance", "try_number", name="pk_rendered"),
    )
    op.create_table(
        "task_transition",
        sa.Column("instance", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=False),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=60), nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["instance"], ["task_instance.id"], name="fk_task_transition_instance", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance", "version", name="pk_task_transition"),
    )
    op.create_table(
        "xcom",
        sa.Column("instance", KEY, nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("value", DOCUMENT, nullable=False),
        sa.Column("length", sa.Integer()),
        sa.Column("stored", sa.String(length=40)),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["instance"], ["task_instance.id"], name="fk_xcom_instance", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance", "name", name="pk_xcom"),
    )
    op.create_table(
        "stored_value",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("url", DOCUMENT, nullable=False),
        sa.Column("instance", KEY, nullable=False),
        sa.Column("xcom", sa.String(length=500), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_stored_value"),
    )
    op.create_table(
        "task_state",
        sa.Column("instance", KEY, nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("value", DOCUMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.ForeignKeyConstraint(["instance"], ["task_instance.id"], name="fk_task_state_instance", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance", "name", name="pk_task_state"),
    )
    for name, table, columns in INDEXES:
        _index(name, table, columns)
    if op.get_bind().dialect.name in ("mysql", "mariadb"):
        for name, table, columns in WHOLE_INDEXES:
            _index(name, table, columns)
    else:
        for name, table, columns, where in LIVE_INDEXES:
            _index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))
    op.bulk_insert(
        sa.table(
            "pool", sa.column("name"), sa.column("slots"), sa.column("description"), sa.column("include_deferred")
        ),
        [DEFAULT_POOL],
    )


def _index(name: str, table: str, columns: tuple[str, ...], **only: Any) -> None:
    op.create_index(name, table, [sa.literal_column(one) if " " in one else one for one in columns], **only)


def downgrade() -> None:
    """Drop every table."""
    for table in (
        "backfill_date",
        "backfill",
        "asset_watch",
        "asset_watcher",
        "asset_event_run",
        "asset_arrival",
        "asset_event_queue",
        "asset_event",
        "asset_use",
        "asset_alias_member",
        "asset_alias",
        "asset",
        "asset_state",
        "task_state",
        "xcom",
        "stored_value",
        "task_transition",
        "rendered",
        "deferral",
        "hitl_detail",
        "attempt",
        "task_instance",
        "run_transition",
        "dag_run",
        "dag_favorite",
        "dag",
        "dag_reader",
        "variable",
        "pool",
        "webhook",
        "task_queue",
        "node",
        "login_link",
        "parse_request",
        "audit_event",
        "login_session",
        "api_token",
        "import_error",
        "dag_version",
        "connection",
        *BUNDLE_TABLES,
        "account",
    ):
        op.drop_table(table, if_exists=True)
