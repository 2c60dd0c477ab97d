"""Backends for the tests of this folder."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.queue.backends import AmqpBackend, Backend, DatabaseBackend
from tests.support.tcp_proxy import TcpProxy

QUEUES = ("default", "big", "small", "third")


@pytest.fixture
async def amqp(amqp_url: str, queue_prefix: str) -> AsyncIterator[AmqpBackend]:
    """RabbitMQ with queue names of this test's own, deleted afterwards."""
    backend = AmqpBackend(amqp_url, queue_prefix.rstrip("."))
    yield backend
    await backend.delete([*map(backend.broker_name, QUEUES), f"{backend.prefix}.dead", f"{backend.prefix}.doorbell"])


@pytest.fixture(params=["database", "amqp"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn."""
    if request.param == "database":
        return DatabaseBackend()
    found: AmqpBackend = request.getfixturevalue("amqp")
    return found


@pytest.fixture
async def proxy(amqp_url: str) -> AsyncIterator[TcpProxy]:
    """A wire to RabbitMQ that can be cut."""
    parts = urlsplit(amqp_url)
    async with TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5672) as proxy:
        yield proxy


@pytest.fixture
def proxied(amqp: AmqpBackend, proxy: TcpProxy) -> AmqpBackend:
    """RabbitMQ at the other end of `proxy`."""
    parts = urlsplit(amqp.url)
    user = parts.netloc.rpartition("@")[0]
    url = parts._replace(netloc=f"{user}@127.0.0.1:{proxy.port}").geturl()
    return AmqpBackend(url, amqp.prefix)
