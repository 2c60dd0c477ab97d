"""The tables of XComs: their values, and what is kept of them outside the metastore."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from flowd.db.columns import DOCUMENT, KEY, MOMENT, metadata

xcom = Table(
    "xcom",
    metadata,
    Column("instance", KEY, ForeignKey("task_instance.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(500), primary_key=True),
    Column("value", DOCUMENT, nullable=False),
    Column("length", Integer),
    Column("stored", String(40)),
    Column("at", MOMENT, nullable=False),
)

stored_value = Table(
    "stored_value",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("url", DOCUMENT, nullable=False),
    # The XCom that refers to it. It outlives that: it is a name, and no reference.
    Column("instance", KEY, nullable=False),
    Column("xcom", String(500), nullable=False),
    Column("at", MOMENT, nullable=False),
)
