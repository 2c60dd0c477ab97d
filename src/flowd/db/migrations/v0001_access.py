"""The tables of accounts, of what lets them in, and of what they did, in the first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()
ID = sa.String(length=250)
HASH = sa.String(length=64)
DOCUMENT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")


def create_access_tables() -> None:
    """Make them; they refer to no other."""
    op.create_table(
        "account",
        sa.Column("username", ID, nullable=False),
        sa.Column("password_hash", sa.String(length=500), nullable=True),
        sa.Column("identity", HASH, nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("member_of", DOCUMENT, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("username", name="pk_account"),
        sa.UniqueConstraint("identity", name="uq_account_identity"),
    )
    op.create_table(
        "login_session",
        sa.Column("token_hash", HASH, nullable=False),
        sa.Column("username", ID, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_login_session"),
    )
    op.create_table(
        "login_link",
        sa.Column("token_hash", HASH, nullable=False),
        sa.Column("username", ID, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_login_link"),
    )
    op.create_table(
        "api_token",
        sa.Column("token_hash", HASH, nullable=False),
        sa.Column("username", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("last_used_from", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name="pk_api_token"),
        sa.UniqueConstraint("username", "name", name="uq_api_token_username_name"),
    )
    op.create_table(
        "dag_reader",
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "name", name="pk_dag_reader"),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("event", sa.String(length=100), nullable=False),
        sa.Column("owner", ID, nullable=False),
        sa.Column("dag_id", ID, nullable=True),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=True),
        sa.Column("try_number", sa.Integer(), nullable=True),
        sa.Column("extra", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_event"),
    )
    op.create_table(
        "webhook",
        sa.Column("name", ID, nullable=False),
        sa.Column("dag_id", ID, nullable=False),
        sa.Column("scheme", sa.String(length=20), nullable=False),
        sa.Column("deliveries_per_minute", sa.Integer(), nullable=False),
        sa.Column("secret", DOCUMENT, nullable=False),
        sa.Column("previous_secret", DOCUMENT, nullable=True),
        sa.Column("previous_until", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("rotated_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_webhook"),
    )
