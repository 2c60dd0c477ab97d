"""The tables of bundles: the files of DAGs by their content, and which of them were pushed, under which names."""

from sqlalchemy import BigInteger, Column, Integer, Table

from flowd.db.columns import CONTENT, DOCUMENT, HASH, ID, MOMENT, metadata

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
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("content", CONTENT, nullable=False),
)
"""A content in parts, from 0 on, each small enough for one packet of MySQL's."""

pushed_bundle = Table(
    "pushed_bundle",
    metadata,
    Column("name", ID, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
)
"""Which version of a bundle is in service. `revision` counts how often that has changed: a plan is made for one."""

pushed_version = Table(
    "pushed_version",
    metadata,
    Column("name", ID, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("bundle", HASH, nullable=False),
    Column("parsed", HASH, nullable=False),
    Column("plan", DOCUMENT, nullable=False),
    Column("pushed_at", MOMENT, nullable=False),
    Column("pushed_by", ID),
)
"""A version never changes. `parsed` is the content that tells what its files defined when it was pushed."""

bundle_plan = Table(
    "bundle_plan",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("name", ID, nullable=False),
    Column("bundle", HASH, nullable=False),
    Column("parsed", HASH, nullable=False),
    Column("to_version", Integer),
    Column("plan", DOCUMENT, nullable=False),
    Column("made_at", MOMENT, nullable=False),
    Column("applied_version", Integer),
)
"""A plan that waits to be applied; `to_version` is the one that a rollback goes to, None for a push."""
