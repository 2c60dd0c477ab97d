"""Nodes: each says what it is and when it was last there, by the metastore's clock."""

from dataclasses import replace

from flowd.db import nodes
from flowd.db.nodes import Node, Wish
from flowd.roles.presence import Presence
from tests.support.ledger_site import LedgerSite
from tests.support.specs import NOW

NODE = Node(
    id="n1",
    name="master1/7-ab",
    host="master1",
    pid=7,
    roles=("api", "scheduler"),
    queues=("default", "gpu"),
    concurrency=30,
    started_at=NOW,
)


def never(wish: Wish) -> None:
    raise AssertionError(f"nobody wants {wish}")


async def seen(site: LedgerSite) -> list[Node]:
    async with site.metastore.reading() as tx:
        return list(await nodes.seen_lately(tx))


async def test_a_node_is_seen_as_it_described_itself_last(site: LedgerSite) -> None:
    now = NODE
    presence = Presence(site.metastore, lambda: now, heed=never)
    await presence.step()
    (first,) = await seen(site)
    now = replace(NODE, running=3, concurrency=40, queues=())
    await presence.step()
    (second,) = await seen(site)

    assert replace(first, seen_at=None) == NODE
    assert replace(second, seen_at=None) == now
    assert first.seen_at and second.seen_at and first.seen_at <= second.seen_at


async def test_a_node_that_leaves_is_forgotten_and_one_that_died_is_not(site: LedgerSite) -> None:
    leaving, dead = Presence(site.metastore, lambda: NODE, heed=never), replace(NODE, id="n2", queues=())
    await Presence(site.metastore, lambda: dead, heed=never).step()
    await leaving.step()
    before = [node.id for node in await seen(site)]

    await leaving.leave()
    await leaving.leave()

    assert sorted(before) == ["n1", "n2"]
    assert [node.id for node in await seen(site)] == ["n2"]


async def test_a_node_hears_once_what_is_wanted_of_it_and_says_at_once_what_became_of_it(site: LedgerSite) -> None:
    heard: list[Wish] = []
    presence = Presence(site.metastore, lambda: NODE, heed=heard.append)
    await presence.step()
    for wanted, is_to_drain in ((5, False), (5, False), (0, True), (0, False)):
        async with site.metastore.transaction() as tx:
            await nodes.want_concurrency(tx, NODE.id, wanted)
            await nodes.want_drained(tx, NODE.id, is_to_drain)
            await nodes.want_concurrency(tx, "nosuch", 99)
        is_new = len(heard)
        assert await presence.step() is (len(heard) > is_new)
        assert await presence.step() is False

    assert heard == [Wish(concurrency=5), Wish(concurrency=0, is_to_drain=True), Wish(concurrency=0)]
    assert [node.wish for node in await seen(site)] == [heard[-1]]


async def test_a_node_that_died_long_ago_is_forgotten_when_another_comes(site: LedgerSite) -> None:
    await Presence(site.metastore, lambda: NODE, heed=never).step()
    async with site.metastore.transaction() as tx:
        await tx.execute("UPDATE node SET seen_at = 0")

    await Presence(site.metastore, lambda: replace(NODE, id="n2"), heed=never).step()

    assert [node.id for node in await seen(site)] == ["n2"]
