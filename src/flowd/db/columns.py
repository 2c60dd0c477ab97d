"""What the schema is made of: names of constraints, types of columns, and the two kinds of indexes."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Float, Index, Integer, LargeBinary, MetaData, String, Text, TextClause, text
from sqlalchemy.dialects.mysql import DOUBLE, LONGBLOB, LONGTEXT
from sqlalchemy.engine import Dialect

WHOLE = "whole"
"""The mark, in an index's `info`, of those that only MySQL and MariaDB have."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

KEY = BigInteger().with_variant(Integer, "sqlite")
MOMENT = BigInteger()
ID = String(250)
HASH = String(64)
SECONDS = Float().with_variant(DOUBLE, "mysql", "mariadb")
DOCUMENT = Text().with_variant(LONGTEXT, "mysql", "mariadb")
CONTENT = LargeBinary().with_variant(LONGBLOB, "mysql", "mariadb")


def quoted(values: Sequence[str]) -> str:
    """Return the words as SQL literals, in alphabetical order."""
    return ", ".join(f"'{value}'" for value in sorted(values))


def live_index(name: str, *columns: TextClause | str, where: str) -> Index:
    """An index on live rows only."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where)).ddl_if(
        callable_=lambda *found, **more: not _is_mysql(*found, **more)
    )


def whole_index(name: str, *columns: TextClause | str) -> Index:
    """What stands for indexes of live rows where there are none."""
    return Index(name, *columns, info={WHOLE: True}).ddl_if(callable_=_is_mysql)


def _is_mysql(*_: object, dialect: Dialect, **__: object) -> bool:
    return dialect.name in ("mysql", "mariadb")
