"""The URL of a metastore: which database it names, and the asynchronous driver that flowd uses for it."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from flowd.db.dialect import Kind
from flowd.db.mysql_options import tls_of
from flowd.db.postgresql_options import with_asyncpg_options
from flowd.domain.errors import InvalidInput

_DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", Kind.SQLITE),
    "postgresql": ("postgresql+asyncpg", Kind.POSTGRESQL),
    "postgres": ("postgresql+asyncpg", Kind.POSTGRESQL),
    "mysql": ("mysql+asyncmy", Kind.MYSQL),
    "mariadb": ("mysql+asyncmy", Kind.MYSQL),
}


def normalise(url: str) -> tuple[URL, Kind]:
    """Return the URL with the asynchronous driver that flowd uses, and which database it names.

    Raises InvalidInput, without the password, for a URL that names none of SQLite, PostgreSQL, MySQL or MariaDB, or has
    an option that cannot be followed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise InvalidInput(
            "the metastore's URL cannot be read; wanted sqlite:///PATH, postgresql://USER:PASSWORD@HOST/DATABASE"
            " or mysql://USER:PASSWORD@HOST/DATABASE"
        ) from error
    name = parsed.get_backend_name()
    if name not in _DRIVERS:
        raise InvalidInput(f"the metastore's URL names {name!r}; wanted sqlite, postgresql or mysql")
    driver, kind = _DRIVERS[name]
    parsed = parsed.set(drivername=driver)
    match kind:
        case Kind.SQLITE if not parsed.database or parsed.database == ":memory:":
            # Reader and writer are two connections: each would see a database of its own.
            raise InvalidInput("the metastore's URL names an SQLite database in memory; wanted a file, sqlite:///PATH")
        case Kind.POSTGRESQL:
            return with_asyncpg_options(parsed), kind
        case Kind.MYSQL if not parsed.database:
            raise InvalidInput("the metastore's URL names no database; wanted mysql://USER:PASSWORD@HOST/DATABASE")
        case Kind.MYSQL:
            tls_of(parsed)  # a mistake in it is told now, not at the first connection
            return parsed, kind
        case _:
            return parsed, kind
