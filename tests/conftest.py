"""Fixtures for every test: servers to talk to, and names of one's own on them.

A server that does not answer fails the tests that ask for it; it never skips them.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from flowd.sdk import secret_values
from tests.support.services import (
    AmqpServer,
    DatabaseFactory,
    MariadbServer,
    PostgresServer,
    ServiceUnreachable,
    SqsServer,
)

# How long an example takes says what else the machine is doing.
settings.register_profile("flowd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flowd")

pytest_plugins = ["tests.faults.harness.result_table", "tests.support.ledger_fixtures"]


@pytest.fixture(autouse=True)
def _keep_secrets_to_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test mask what another was given: a password that hypothesis makes up may be a word of its messages."""
    monkeypatch.setattr(secret_values, "_known", set())


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """A PostgreSQL server that answers."""
    server = PostgresServer.from_environment()
    try:
        asyncio.run(server.check())
    except ServiceUnreachable as absence:
        pytest.fail(str(absence), pytrace=False)
    return server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> DatabaseFactory:
    """Call it for a database of one's own: `async with postgres_database(template=None) as url`."""
    return postgres_server.database


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The URL of an empty database that this test has to itself."""
    async with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_server() -> MariadbServer:
    """A MariaDB server that answers."""
    server = MariadbServer.from_environment()
    try:
        asyncio.run(server.check())
    except ServiceUnreachable as absence:
        pytest.fail(str(absence), pytrace=False)
    return server


@pytest.fixture
async def mariadb_url(mariadb_server: MariadbServer) -> AsyncIterator[str]:
    """The URL of an empty database that this test has to itself."""
    async with mariadb_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """The URL of a RabbitMQ server that answers; keep to names that begin with `queue_prefix`."""
    server = AmqpServer.from_environment()
    try:
        asyncio.run(server.check())
    except ServiceUnreachable as absence:
        pytest.fail(str(absence), pytrace=False)
    return server.url


@pytest.fixture(scope="session")
def sqs_endpoint() -> Iterator[str]:
    """The URL of a double of SQS; keep to names that begin with `queue_prefix`."""
    with SqsServer.started() as server:
        yield server.url


@pytest.fixture(scope="session")
def s3_endpoint(sqs_endpoint: str) -> str:
    """The URL of a double of S3, which is the same server; keep to buckets of your own."""
    return sqs_endpoint


@pytest.fixture
def queue_prefix() -> str:
    """What this test's queue names begin with, so that tests that share a broker never meet."""
    return f"test-{secrets.token_hex(6)}."


@pytest.fixture(autouse=True)
def _no_log_handler_is_left_behind() -> Iterator[None]:
    """A command run in this process sets up logging for good; the next test must not hear of it."""
    yield
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(handler)
    structlog.reset_defaults()
