"""The table of webhooks: what other systems may trigger DAGs with."""

from sqlalchemy import Column, Integer, String, Table

from flowd.db.columns import DOCUMENT, ID, MOMENT, metadata

webhook = Table(
    "webhook",
    metadata,
    Column("name", ID, primary_key=True),
    Column("dag_id", ID, nullable=False),
    Column("scheme", String(20), nullable=False),
    Column("deliveries_per_minute", Integer, nullable=False),
    Column("secret", DOCUMENT, nullable=False),
    Column("previous_secret", DOCUMENT),
    Column("previous_until", MOMENT),
    Column("created_at", MOMENT, nullable=False),
    Column("rotated_at", MOMENT),
)
