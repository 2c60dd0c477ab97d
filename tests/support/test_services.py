"""The test servers: a database of one's own comes and goes, and an absent server is named."""

import asyncpg
import pytest

from flowd.db.metastore import Metastore
from tests.support.services import AmqpServer, DatabaseFactory, MariadbServer, PostgresServer, ServiceUnreachable


async def test_a_fresh_database_is_empty_and_utf8(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)

    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    encoding = await connection.fetchval("SHOW server_encoding")
    await connection.close()

    assert (tables, encoding) == (0, "UTF8")


async def test_a_copy_holds_what_its_template_held_and_both_are_dropped(postgres_database: DatabaseFactory) -> None:
    async with postgres_database() as template:
        connection = await asyncpg.connect(template)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()

        async with postgres_database(template=template) as copy:
            connection = await asyncpg.connect(copy)
            assert await connection.fetchval("SELECT answer FROM kept") == 42

    for url in (copy, template):
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await asyncpg.connect(url)


async def test_an_absent_postgresql_is_named_with_the_way_to_get_one() -> None:
    server = PostgresServer("postgresql://me:secret@127.0.0.1:1/x")

    with pytest.raises(ServiceUnreachable) as failure:
        await server.check()

    message = str(failure.value)
    assert "PostgreSQL does not answer at postgresql://me@127.0.0.1:1/x" in message
    assert "make services" in message and "FLOWD_TEST_POSTGRES_URL" in message
    assert "secret" not in message


async def test_a_database_on_mariadb_tells_upper_from_lower_case_and_spaces_at_the_end(mariadb_url: str) -> None:
    metastore = Metastore(mariadb_url)

    async with metastore.transaction() as tx:
        await tx.execute("CREATE TABLE kept (id VARCHAR(9) PRIMARY KEY)")
        await tx.execute("INSERT INTO kept VALUES ('a'), ('A'), ('a ')")
        kept = (await tx.execute("SELECT COUNT(*) FROM kept")).scalar_one()
    await metastore.close()

    assert kept == 3


async def test_an_absent_mariadb_is_named_with_the_way_to_get_one() -> None:
    with pytest.raises(ServiceUnreachable, match=r"MariaDB does not answer .*make services.*FLOWD_TEST_MARIADB_URL"):
        await MariadbServer("mysql://root@127.0.0.1:1/").check()


async def test_an_absent_rabbitmq_is_named_with_the_way_to_get_one() -> None:
    with pytest.raises(ServiceUnreachable, match=r"RabbitMQ does not answer .*make services.*FLOWD_TEST_AMQP_URL"):
        await AmqpServer("amqp://guest:guest@127.0.0.1:1/").check()


def test_the_environment_names_other_servers() -> None:
    environment = {"FLOWD_TEST_POSTGRES_URL": "postgresql://db/x", "FLOWD_TEST_AMQP_URL": ""}

    assert PostgresServer.from_environment(environment).url == "postgresql://db/x"
    assert AmqpServer.from_environment(environment).url == AmqpServer.DEFAULT
    assert MariadbServer.from_environment(environment).url == MariadbServer.DEFAULT


@pytest.mark.parametrize("_again", [1, 2])
def test_no_two_tests_share_queue_names(queue_prefix: str, seen_prefixes: set[str], _again: int) -> None:
    assert queue_prefix not in seen_prefixes

    seen_prefixes.add(queue_prefix)


@pytest.fixture(scope="module")
def seen_prefixes() -> set[str]:
    return set()
