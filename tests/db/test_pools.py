"""Pools: making, changing and deleting them."""

import pytest

from flowd.db.metastore import Metastore
from flowd.db.pools import Pool, Pools
from flowd.domain.errors import Conflict, InvalidInput, NotFound


async def test_a_pool_is_made_changed_and_deleted(metastore: Metastore) -> None:
    pools = Pools(metastore)

    await pools.set(Pool(name="gpu", slots=2, description="cards"), Pool(name="api", slots=-1, include_deferred=True))
    await pools.set(Pool(name="gpu", slots=0))
    await pools.delete("api")

    assert [one.name for one in await pools.list()] == ["default_pool", "gpu"]
    assert await pools.get("gpu") == Pool(name="gpu", slots=0)


async def test_the_default_pool_can_be_changed_and_not_deleted(metastore: Metastore) -> None:
    pools = Pools(metastore)

    await pools.set(Pool(name="default_pool", slots=4))

    with pytest.raises(Conflict, match="cannot be deleted"):
        await pools.delete("default_pool")
    assert (await pools.get("default_pool")).slots == 4


async def test_an_unknown_pool_is_named(metastore: Metastore) -> None:
    for action in (Pools(metastore).get("x"), Pools(metastore).delete("x")):
        with pytest.raises(NotFound, match="there is no pool 'x'"):
            await action


@pytest.mark.parametrize("bad", [Pool(name="a", slots=-2), Pool(name="", slots=1), Pool(name="a" * 251, slots=1)])
async def test_of_many_pools_one_bad_one_stops_all(metastore: Metastore, bad: Pool) -> None:
    with pytest.raises(InvalidInput, match="wanted"):
        await Pools(metastore).set(Pool(name="good", slots=1), bad)

    assert [one.name for one in await Pools(metastore).list()] == ["default_pool"]
