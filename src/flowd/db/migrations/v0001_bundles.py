"""The first schema's tables of bundles."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

MOMENT = sa.BigInteger()
ID = sa.String(length=250)
HASH = sa.String(length=64)
DOCUMENT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
CONTENT = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")

BUNDLE_TABLES = ("bundle_plan", "pushed_version", "pushed_bundle", "bundle_content", "bundle")


def create_bundle_tables() -> None:
    """Make the tables of bundles."""
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
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", CONTENT, nullable=False),
        sa.PrimaryKeyConstraint("hash", "part", name="pk_bundle_content"),
    )
    op.create_table(
        "pushed_bundle",
        sa.Column("name", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_pushed_bundle"),
    )
    op.create_table(
        "pushed_version",
        sa.Column("name", ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bundle", HASH, nullable=False),
        sa.Column("parsed", HASH, nullable=False),
        sa.Column("plan", DOCUMENT, nullable=False),
        sa.Column("pushed_at", MOMENT, nullable=False),
        sa.Column("pushed_by", ID, nullable=True),
        sa.PrimaryKeyConstraint("name", "number", name="pk_pushed_version"),
    )
    op.create_table(
        "bundle_plan",
        sa.Column("hash", HASH, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("bundle", HASH, nullable=False),
        sa.Column("parsed", HASH, nullable=False),
        sa.Column("to_version", sa.Integer(), nullable=True),
        sa.Column("plan", DOCUMENT, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("applied_version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("hash", name="pk_bundle_plan"),
    )
