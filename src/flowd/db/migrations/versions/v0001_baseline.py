"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DOUBLE, LONGBLOB, LONGTEXT

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

INDEXES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("ix_asset_use_dag", "asset_use", ("dag_id",)),
    ("ix_asset_use_name", "asset_use", ("name", "kind")),
    ("ix_asset_event_asset", "asset_event", ("asset", "id")),
    ("ix_asset_event_at", "asset_event", ("at",)),
    ("ix_asset_event_run_event", "asset_event_run", ("event",)),
    ("ix_dag_run_recent", "dag_run", ("dag_id", "run_after")),
    ("ix_dag_run_ended", "dag_run", ("ended_at",)),
)
LIVE_INDEXES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("ix_dag_due", "dag", ("next_run_after",), "is_active AND NOT is_paused AND next_run_after IS NOT NULL"),
    ("ix_dag_run_live", "dag_run", ("dag_id", "state", "id"), "state IN ('queued', 'running')"),
    ("ix_dag_run_callback", "dag_run", ("callback_due_at",), "callback_due_at IS NOT NULL"),
    (
        "ix_dag_run_deadline",
        "dag_run",
        ("deadline_at",),
        "state IN ('queued', 'running') AND deadline_at IS NOT NULL",
    ),
    ("ix_dag_run_news", "dag_run", ("id",), "has_news AND state <> 'queued'"),
    ("ix_dag_run_timeout", "dag_run", ("timeout_at",), "state = 'running' AND timeout_at IS NOT NULL"),
    ("ix_deferral_open", "deferral", ("triggerer", "lease_until"), "is_open"),
    ("ix_task_instance_lease", "task_instance", ("lease_until",), "state = 'running'"),
    ("ix_task_instance_news", "task_instance", ("run",), "needs_propagation"),
    ("ix_task_instance_queued", "task_instance", ("queue", "priority DESC", "id"), "state = 'queued'"),
    ("ix_task_instance_restarting", "task_instance", ("held_until",), "state = 'restarting'"),
    ("ix_task_instance_ring", "task_instance", ("ring_at",), "state = 'queued'"),
    ("ix_task_instance_scheduled", "task_instance", ("run", "priority DESC", "id"), "state = 'scheduled'"),
    ("ix_task_instance_slots", "task_instance", ("pool", "run"), "state IN ('queued', 'running')"),
    (
        "ix_task_instance_waiting",
        "task_instance",
        ("not_before",),
        "state IN ('deferred', 'up_for_reschedule', 'up_for_retry')",
    ),
)
"""With the condition of the rows that each holds."""

WHOLE_INDEXES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("ix_dag_next", "dag", ("next_run_after",)),
    ("ix_dag_run_state", "dag_run", ("state", "dag_id", "id")),
    ("ix_dag_run_state_timeout", "dag_run", ("state", "timeout_at")),
    ("ix_dag_run_has_news", "dag_run", ("has_news", "id")),
    ("ix_dag_run_callback_due", "dag_run", ("callback_due_at",)),
    ("ix_dag_run_deadline_at", "dag_run", ("deadline_at",)),
    ("ix_deferral_is_open", "deferral", ("is_open", "triggerer", "lease_until")),
    ("ix_task_instance_run_state", "task_instance", ("run", "state", "priority DESC", "id")),
    ("ix_task_instance_state", "task_instance", ("state", "queue", "priority DESC", "id")),
    ("ix_task_instance_ring_at", "task_instance", ("ring_at",)),
    ("ix_task_instance_lease_until", "task_instance", ("lease_until",)),
    ("ix_task_instance_not_before", "task_instance", ("not_before",)),
    ("ix_task_instance_untold", "task_instance", ("needs_propagation", "run")),
)
"""In the place of those of live rows, where a database cannot restrict an index."""

DEFAULT_POOL = {"name": "default_pool", "slots": 128, "description": "Default pool", "include_deferred": False}
"""As Airflow makes it: tasks that name no pool count here."""


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "account",
        sa.Column("username", ID, nullable=False),
        sa.Column("password_hash", sa.String(length=500), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("username", name="pk_account"),
    )
    op.create_table(
        "bundle",
        sa.Column("hash", HASH, nullable=False),
        sa.Column("manifest", DOCUMENT, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_bundle"),
    )
    op.create_table(
        "bundle_content",
        sa.Column("hash", HASH, nullable=False),
        sa.Column("content", CONTENT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_bundle_content"),
    )
    op.create_table(
        "asset",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("uri", sa.String(length=1500), nullable=False),
        sa.Column("asset_group", ID, nullable=False),
        sa.Column("extra", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_asset"),
        sa.UniqueConstraint("name", name="uq_asset_name"),
    )
    op.create_table(
        "asset_alias",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("asset_group", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_asset_alias"),
        sa.UniqueConstraint("name", name="uq_asset_alias_name"),
    )
    op.create_table(
        "asset_alias_member",
        sa.Column("asset", KEY, autoincrement=False, nullable=False),
        sa.Column("alias", ID, nullable=False),
        sa.PrimaryKeyConstraint("asset", "alias", name="pk_asset_alias_member"),
    )
    op.create_table(
        "asset_use",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("task_id", ID),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_asset_use"),
    )
    op.create_table(
        "asset_event",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("asset", KEY, nullable=False),
        sa.Column("alias", ID),
        sa.Column("extra", DOCUMENT, nullable=False),
        sa.Column("source_dag_id", ID),
        sa.Column("source_task_id", ID),
        sa.Column("source_run_id", ID),
        sa.Column("source_map_index", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_asset_event"),
    )
    op.create_table(
        "asset_event_queue",
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("event", KEY, autoincrement=False, nullable=False),
        sa.Column("asset", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "event", name="pk_asset_event_queue"),
    )
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
        "login_link",
        sa.Column("token_hash", HASH, nullable=False),
        sa.Column("username", ID, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_login_link"),
    )
    op.create_table(
        "node",
        sa.Column("id", HASH, nullable=False),
        sa.Column("host", ID, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("roles", sa.String(length=100), nullable=False),
        sa.Column("queues", sa.String(length=1000), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("wanted_concurrency", sa.Integer(), nullable=True),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_node"),
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
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
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
        sa.Column("run_after", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("timeout_at", MOMENT, nullable=True),
        sa.Column("callback_due_at", MOMENT, nullable=True),
        sa.Column("deadline_at", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('failed', 'queued', 'running', 'success')", name=op.f("ck_dag_run_state")),
        sa.ForeignKeyConstraint(["dag_version"], ["dag_version.id"], name="fk_dag_run_dag_version"),
        sa.PrimaryKeyConstraint("id", name="pk_dag_run"),
        sa.UniqueConstraint("dag_id", "idempotency_key", name="uq_dag_run_dag_id_idempotency_key"),
        sa.UniqueConstraint("dag_id", "logical_date", name="uq_dag_run_dag_id_logical_date"),
        sa.UniqueConstraint("dag_id", "run_id", name="uq_dag_run_dag_id_run_id"),
    )
    op.create_table(
        "asset_event_run",
        sa.Column("run", KEY, autoincrement=False, nullable=False),
        sa.Column("event", KEY, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["dag_run.id"], name="fk_asset_event_run_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "event", name="pk_asset_event_run"),
    )
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
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["instance"], ["task_instance.id"], name="fk_xcom_instance", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("instance", "name", name="pk_xcom"),
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
        "asset_event_run",
        "asset_event_queue",
        "asset_event",
        "asset_use",
        "asset_alias_member",
        "asset_alias",
        "asset",
        "xcom",
        "task_transition",
        "rendered",
        "deferral",
        "hitl_detail",
        "attempt",
        "task_instance",
        "run_transition",
        "dag_run",
        "dag",
        "variable",
        "pool",
        "node",
        "login_link",
        "import_error",
        "dag_version",
        "connection",
        "bundle_content",
        "bundle",
        "account",
    ):
        op.drop_table(table, if_exists=True)
