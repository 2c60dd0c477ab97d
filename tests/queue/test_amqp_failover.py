"""AmqpQueue over several hosts of one broker, of which some are dead, silent, or die."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from flowd.domain.errors import QueueUnavailable
from flowd.domain.ids import RunKey
from flowd.queue.amqp.backend import AmqpQueue
from flowd.queue.amqp.hosts import Hosts
from tests.queue.assignments import assignments
from tests.queue.backends import KEYS, AmqpBackend
from tests.support.tcp_proxy import TcpProxy

LINKS = 2


@pytest.fixture
async def hosts(amqp_url: str) -> AsyncIterator[tuple[TcpProxy, TcpProxy]]:
    """Two hosts of one broker."""
    parts = urlsplit(amqp_url)
    upstream = (parts.hostname or "127.0.0.1", parts.port or 5672)
    async with TcpProxy(*upstream) as one, TcpProxy(*upstream) as other:
        yield one, other


@pytest.fixture
def clustered(amqp: AmqpBackend, hosts: tuple[TcpProxy, TcpProxy]) -> AmqpBackend:
    """RabbitMQ at both of `hosts`."""
    parts = urlsplit(amqp.url)
    addresses = ",".join(f"127.0.0.1:{host.port}" for host in hosts)
    return AmqpBackend(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{addresses}").geturl(), amqp.prefix)


async def wait_for_links(hosts: tuple[TcpProxy, TcpProxy]) -> None:
    """Wait until a node's links are up, on whichever hosts."""
    while sum(host.open_connections for host in hosts) < LINKS:  # noqa: ASYNC110 (two hosts, and one to wait for)
        await asyncio.sleep(0.01)


def test_whoever_failed_last_comes_last() -> None:
    hosts = Hosts(["a", "b", "c"])
    first, second, third = hosts

    hosts.failed(first)
    assert list(hosts) == [second, third, first]
    hosts.failed(third)
    assert list(hosts) == [second, first, third]
    hosts.failed(third)
    assert list(hosts) == [second, first, third]


def test_nodes_spread_over_the_hosts() -> None:
    firsts = {next(iter(Hosts(["a", "b", "c"]))) for _ in range(200)}

    assert firsts == {"a", "b", "c"}


def test_a_host_that_fails_while_all_are_tried_is_not_tried_twice() -> None:
    hosts, tried = Hosts(["a", "b"]), []

    for host in hosts:
        tried.append(host)
        hosts.failed(host)

    assert sorted(tried) == ["a", "b"]


async def test_the_death_of_either_host_loses_nothing(clustered: AmqpBackend, hosts: tuple[TcpProxy, TcpProxy]) -> None:
    node = clustered.node()
    received: set[int] = set()
    wanted = set(range(1, 401))
    all_here = asyncio.Event()

    async def work() -> None:
        async with node.subscribe(["default"]) as subscription:
            while True:
                deliveries = await subscription.receive(8)
                for delivery in deliveries:
                    await delivery.ack()
                received.update(clustered.numbers(deliveries))
                if received >= wanted:
                    all_here.set()

    async def schedule() -> None:
        """Publish all, and again what is not confirmed."""
        for first in range(1, 401, 20):
            missing = assignments(20, first=first)
            while missing:
                confirmed = await node.publish(missing)
                missing = [one for one, is_safe in zip(missing, confirmed, strict=True) if not is_safe]

    async with node.open(), asyncio.TaskGroup() as group:
        working = group.create_task(work())
        scheduling = group.create_task(schedule())
        for dying, living in (hosts, hosts[::-1]):
            await wait_for_links(hosts)
            await dying.refuse()
            await living.wait_until(lambda host: host.open_connections == LINKS)
            await dying.heal()
        await scheduling
        await all_here.wait()
        working.cancel()


async def test_a_publish_under_way_goes_on_over_another_host(
    clustered: AmqpBackend, hosts: tuple[TcpProxy, TcpProxy]
) -> None:
    node = AmqpQueue(clustered.url, KEYS, prefix=clustered.prefix, publish_deadline=timedelta(seconds=20))
    async with node.open():
        await wait_for_links(hosts)
        for host in hosts:
            host.sever_after(100_000)

        publishing = asyncio.ensure_future(node.publish(assignments(300)))
        while sum(host.open_connections for host in hosts) == LINKS:  # noqa: ASYNC110 (either of the two)
            await asyncio.sleep(0)
        for host in hosts:
            host.sever_after(10**9)

        assert all(await publishing)
        assert sum(host.accepted for host in hosts) == LINKS + 1


async def test_a_silent_host_is_passed_over(clustered: AmqpBackend, hosts: tuple[TcpProxy, TcpProxy]) -> None:
    hosts[0].blackhole()
    for _ in range(3):
        node = clustered.node()
        async with node.open():
            # Within the deadline of a publish, whichever host comes first.
            assert all(await node.publish(assignments(1)))


async def test_with_every_host_dead_it_says_so_and_goes_on_with_the_first_that_lives(
    clustered: AmqpBackend, hosts: tuple[TcpProxy, TcpProxy]
) -> None:
    node = AmqpQueue(clustered.url, KEYS, prefix=clustered.prefix, publish_deadline=timedelta(seconds=1))
    async with node.open(), node.subscribe(["default"]) as subscription, node.rings() as rings:
        await node.check()
        for host in hosts:
            await host.refuse()

        assert list(await node.publish(assignments(2))) == [False, False]
        with pytest.raises(QueueUnavailable, match=r"does not answer: 127\.0\.0\.1:\d+: .*Connect call failed"):
            await node.check()

        await hosts[1].heal()
        while not all(await node.publish(assignments(1, first=3))):
            pass
        assert clustered.numbers(await subscription.receive(1)) == [3]
        heard = asyncio.ensure_future(anext(rings))
        while not heard.done():
            await node.ring([RunKey(7)])
            await asyncio.sleep(0.05)
        assert heard.result() == {7}
        assert hosts[0].open_connections == 0
