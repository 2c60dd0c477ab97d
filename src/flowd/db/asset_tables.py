"""The tables of assets: what there is, who uses it, and what has happened to it."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table

from flowd.db.columns import DOCUMENT, HASH, ID, KEY, MOMENT, metadata

asset_state = Table(
    "asset_state",
    metadata,
    Column("asset", KEY, primary_key=True, autoincrement=False),
    Column("name", String(500), primary_key=True),
    Column("value", DOCUMENT, nullable=False),
    Column("at", MOMENT, nullable=False),
    # The instance may be deleted before the state is: it is a name, and no reference.
    Column("writer", KEY),
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
    Column("is_partitioned", Boolean(create_constraint=False), nullable=False),
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
    Column("request", String(100), unique=True),
    Column("partition_key", ID),
    Column("partition_date", MOMENT),
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

asset_arrival = Table(
    "asset_arrival",
    metadata,
    Column("dag_id", ID, primary_key=True),
    Column("partition_key", ID, primary_key=True),
    Column("event", KEY, primary_key=True, autoincrement=False),
    Column("plan", HASH, nullable=False),
    Index("ix_asset_arrival_event", "event"),
)

asset_event_run = Table(
    "asset_event_run",
    metadata,
    Column("run", KEY, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("event", KEY, primary_key=True, autoincrement=False),
    Index("ix_asset_event_run_event", "event"),
)

asset_watcher = Table(
    "asset_watcher",
    metadata,
    Column("id", KEY, primary_key=True, autoincrement=True),
    Column("dag_id", ID, nullable=False),
    Column("asset", ID, nullable=False),
    Column("name", ID, nullable=False),
    Column("watch", HASH, nullable=False),
    Column("classpath", String(500), nullable=False),
    Column("kwargs", DOCUMENT, nullable=False),
    Column("file", String(1000), nullable=False),
    Column("is_in_bundle", Boolean(create_constraint=False), nullable=False),
    Column("at", MOMENT, nullable=False),
    Index("ix_asset_watcher_dag", "dag_id"),
    Index("ix_asset_watcher_watch", "watch"),
)

asset_watch = Table(
    "asset_watch",
    metadata,
    Column("watch", HASH, primary_key=True),
    Column("triggerer", String(200)),
    Column("lease_until", MOMENT),
)
