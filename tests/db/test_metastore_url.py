"""URLs of metastores: which database they name, and what is refused."""

import pytest

from flowd.db.dialect import Kind
from flowd.db.metastore_url import normalise
from flowd.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("url", "driver", "kind"),
    [
        ("sqlite:///flowd.db", "sqlite+aiosqlite", Kind.SQLITE),
        ("sqlite+pysqlite:////var/flowd.db", "sqlite+aiosqlite", Kind.SQLITE),
        ("postgres://flowd@db/flowd", "postgresql+asyncpg", Kind.POSTGRESQL),
        ("postgresql+psycopg2://flowd@db/flowd", "postgresql+asyncpg", Kind.POSTGRESQL),
        ("mariadb://flowd@db/flowd", "mysql+asyncmy", Kind.MYSQL),
        ("mysql+pymysql://flowd@db/flowd", "mysql+asyncmy", Kind.MYSQL),
    ],
)
def test_a_url_is_given_the_asynchronous_driver(url: str, driver: str, kind: Kind) -> None:
    normalised, found = normalise(url)

    assert (normalised.drivername, found) == (driver, kind)


def test_the_libpq_spelling_of_tls_is_understood() -> None:
    url, _ = normalise("postgresql://flowd@db/flowd?sslmode=require")

    assert dict(url.query) == {"ssl": "require"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?autocommit=1", "option 'autocommit'; for PostgreSQL wanted sslmode, "),
        ("?sslmode=required", "sslmode=required; wanted one of disable, allow, prefer, require"),
    ],
)
def test_an_option_that_asyncpg_cannot_follow_is_refused_rather_than_waited_for(options: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        normalise(f"postgresql://u:hunter2@db/flowd{options}")

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "oracle://flowd:hunter2@db/flowd",
        "hunter2",
        "postgresql://u:hunter2@db:port/x",
        "sqlite://",
        "mysql://u:hunter2@db",
        "",
    ],
)
def test_a_url_of_no_known_database_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InvalidInput, match="the metastore's URL") as raised:
        normalise(url)

    assert "hunter2" not in str(raised.value)
