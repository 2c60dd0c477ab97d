"""What tasks keep for themselves and of assets: by key, over tries and runs, until it expires or is deleted."""

from datetime import timedelta
from typing import Any

import pytest

from flowd.db import assets, state_store
from flowd.db.state_store import Found
from flowd.domain.assets import AssetSpec
from flowd.domain.errors import NotFound
from flowd.domain.ids import InstanceKey
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task

HOUR = timedelta(hours=1)
ORDERS = AssetSpec(name="orders", uri="s3://orders")


async def two_instances(site: LedgerSite) -> tuple[InstanceKey, InstanceKey]:
    run = await site.begin(a_dag(a_task("a", inlets=(ORDERS,)), a_task("b")))
    return (await site.instance(run, "a")).key, (await site.instance(run, "b")).key


async def keep(site: LedgerSite, instance: InstanceKey, name: str, value: Any, lasts: timedelta | None = None) -> None:
    async with site.metastore.transaction() as tx:
        await state_store.set_of_task(tx, instance, name, value, await tx.now(), lasts)


async def kept(site: LedgerSite, instance: InstanceKey, name: str = "n") -> Found | None:
    async with site.metastore.reading() as tx:
        return await state_store.get_of_task(tx, instance, name)


async def test_each_instance_keeps_its_own_and_the_last_value_counts(site: LedgerSite) -> None:
    first, second = await two_instances(site)

    await keep(site, first, "n", 1)
    await keep(site, first, "n", {"job": ["é", False, 0]})
    await keep(site, second, "n", 2)

    assert await kept(site, first) == Found({"job": ["é", False, 0]})
    assert await kept(site, second) == Found(2)
    assert await kept(site, first, "other") is None


async def test_what_has_expired_is_not_there_and_setting_it_again_begins_anew(site: LedgerSite) -> None:
    first, _ = await two_instances(site)

    await keep(site, first, "n", 1, -HOUR)
    before = await kept(site, first)
    await keep(site, first, "n", 2, HOUR)

    assert before is None
    assert await kept(site, first) == Found(2)


@pytest.mark.parametrize(("name", "left"), [("n", {"m"}), (None, set())])
async def test_one_or_all_are_deleted_and_those_of_others_stay(
    site: LedgerSite, name: str | None, left: set[str]
) -> None:
    first, second = await two_instances(site)
    for instance in (first, second):
        for key in ("n", "m"):
            await keep(site, instance, key, 1)

    async with site.metastore.transaction() as tx:
        await state_store.delete_of_task(tx, first, name)

    assert {key for key in ("n", "m") if await kept(site, first, key)} == left
    assert {key for key in ("n", "m") if await kept(site, second, key)} == {"n", "m"}


async def test_an_asset_keeps_values_of_its_own_and_who_wrote_them(site: LedgerSite) -> None:
    first, _ = await two_instances(site)
    async with site.metastore.transaction() as tx:
        asset = await assets.id_of(tx, "orders")
        for value, writer in ((1, None), ([2], first)):
            await state_store.set_of_asset(tx, asset, "n", value, await tx.now(), writer)
        await state_store.set_of_asset(tx, asset, "m", 3, await tx.now(), None)
        await state_store.delete_of_asset(tx, asset, "m")

    async with site.metastore.reading() as tx:
        found = [await state_store.get_of_asset(tx, asset, name) for name in ("n", "m")]

    assert found == [Found([2]), None]
    assert await site.rows("SELECT name, writer FROM asset_state") == [("n", first)]
    async with site.metastore.transaction() as tx:
        await state_store.delete_of_asset(tx, asset, None)
    assert await site.rows("SELECT name FROM asset_state") == []


async def test_an_asset_that_nobody_declares_is_named(site: LedgerSite) -> None:
    async with site.metastore.reading() as tx:
        with pytest.raises(NotFound, match="asset 'nowhere' is not known: no DAG has it"):
            await assets.id_of(tx, "nowhere")
