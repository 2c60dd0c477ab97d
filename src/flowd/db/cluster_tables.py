"""The tables of what runs tasks: the nodes on record, and the queues that are paused."""

from sqlalchemy import Boolean, Column, Integer, String, Table, false

from flowd.db.columns import ID, MOMENT, metadata

node = Table(
    "node",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(250), nullable=False),
    Column("host", String(250), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("roles", String(100), nullable=False),
    Column("queues", String(1000), nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("wanted_concurrency", Integer),
    Column("running", Integer, nullable=False),
    Column("is_taking_work", Boolean(create_constraint=False), nullable=False),
    Column("is_to_drain", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("started_at", MOMENT, nullable=False),
    Column("seen_at", MOMENT, nullable=False),
)

task_queue = Table(
    "task_queue",
    metadata,
    Column("name", ID, primary_key=True),
    Column("paused_at", MOMENT, nullable=False),
)
"""Has a row for each queue that is paused, and no other: the Dispatcher leaves out what is in it."""
