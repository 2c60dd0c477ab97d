"""Backends for the tests of this folder."""

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from flowd.queue.sqs.address import SqsAddress
from tests.queue.backends import AmqpBackend, Backend, DatabaseBackend, SqsBackend
from tests.support.sqs_gate import SqsGate
from tests.support.tcp_proxy import TcpProxy

QUEUES = ("default", "big", "small", "third")


@pytest.fixture
async def amqp(amqp_url: str, queue_prefix: str) -> AsyncIterator[AmqpBackend]:
    """RabbitMQ with queue names of this test's own, deleted afterwards."""
    backend = AmqpBackend(amqp_url, queue_prefix.rstrip("."))
    yield backend
    await backend.delete([*map(backend.broker_name, QUEUES), f"{backend.prefix}.dead", f"{backend.prefix}.doorbell"])


@pytest.fixture
def sqs(sqs_endpoint: str, queue_prefix: str) -> SqsBackend:
    """A double of SQS with queue names of this test's own."""
    address = SqsAddress.parse("sqs://KEY:hunter2@", region="eu-central-1", endpoint_url=sqs_endpoint)
    return SqsBackend(address, queue_prefix.rstrip("."))


@pytest.fixture
async def gate(sqs_endpoint: str) -> AsyncIterator[SqsGate]:
    """A gate before the double of SQS."""
    async with SqsGate(sqs_endpoint) as gate:
        yield gate


@pytest.fixture
def gated(sqs: SqsBackend, gate: SqsGate) -> SqsBackend:
    """The double of SQS behind `gate`."""
    return SqsBackend(replace(sqs.address, endpoint_url=gate.url), sqs.prefix)


@pytest.fixture
async def wire(sqs_endpoint: str) -> AsyncIterator[TcpProxy]:
    """A wire to the double of SQS that can be cut."""
    async with TcpProxy("127.0.0.1", urlsplit(sqs_endpoint).port or 0) as wire:
        yield wire


@pytest.fixture
def wired(sqs: SqsBackend, wire: TcpProxy) -> SqsBackend:
    """The double of SQS at the other end of `wire`."""
    return SqsBackend(replace(sqs.address, endpoint_url=f"http://127.0.0.1:{wire.port}"), sqs.prefix)


@pytest.fixture(params=["database", "amqp", "sqs"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn."""
    if request.param == "database":
        return DatabaseBackend()
    found: Backend = request.getfixturevalue(request.param)
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
