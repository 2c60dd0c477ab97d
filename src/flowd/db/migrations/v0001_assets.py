"""The tables of assets in the first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()
ID = sa.String(length=250)
HASH = sa.String(length=64)
DOCUMENT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")


def create_asset_tables() -> None:
    """Make them; there must be runs."""
    op.create_table(
        "asset_state",
        sa.Column("asset", KEY, nullable=False, autoincrement=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("value", DOCUMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("writer", KEY),
        sa.PrimaryKeyConstraint("asset", "name", name="pk_asset_state"),
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
        sa.Column("is_partitioned", sa.Boolean(), nullable=False),
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
        sa.Column("request", sa.String(length=100)),
        sa.Column("partition_key", ID),
        sa.Column("partition_date", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_asset_event"),
        sa.UniqueConstraint("request", name="uq_asset_event_request"),
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
        "asset_arrival",
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("partition_key", ID, nullable=False),
        sa.Column("event", KEY, autoincrement=False, nullable=False),
        sa.Column("plan", HASH, nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "partition_key", "event", name="pk_asset_arrival"),
    )
    op.create_table(
        "asset_event_run",
        sa.Column("run", KEY, autoincrement=False, nullable=False),
        sa.Column("event", KEY, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["dag_run.id"], name="fk_asset_event_run_run", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run", "event", name="pk_asset_event_run"),
    )
    op.create_table(
        "asset_watcher",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("asset", ID, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("watch", HASH, nullable=False),
        sa.Column("classpath", sa.String(length=500), nullable=False),
        sa.Column("kwargs", DOCUMENT, nullable=False),
        sa.Column("file", sa.String(length=1000), nullable=False),
        sa.Column("is_in_bundle", sa.Boolean(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_asset_watcher"),
    )
    op.create_table(
        "asset_watch",
        sa.Column("watch", HASH, nullable=False),
        sa.Column("triggerer", sa.String(length=200)),
        sa.Column("lease_until", MOMENT),
        sa.PrimaryKeyConstraint("watch", name="pk_asset_watch"),
    )
