"""Stored values are on record until no XCom refers to them, whatever became of it."""

from typing import Any

import pytest

from flowd.actions.delete import delete_run
from flowd.db import stored_values, xcoms
from flowd.domain.dag_run import DagRun
from flowd.domain.stored_value import StoredValue
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task


def stored(name: str) -> Any:
    url = f"s3://bucket/etl/run/a/{name}.json.gz"
    return StoredValue(url=url, bytes=9, sha256="0" * 64, compression="gzip", length=None).to_json()


async def leave(site: LedgerSite, run: DagRun, value: Any, name: str = "return_value") -> None:
    key = (await site.instance(run, "a")).key
    async with site.metastore.transaction() as tx:
        await xcoms.push(tx, [(key, name, value)], await tx.now())


async def unreferred(site: LedgerSite) -> list[str]:
    async with site.metastore.reading() as tx:
        return [one.name for one in await stored_values.unreferred(tx, limit=9)]


async def begin(site: LedgerSite) -> DagRun:
    run = await site.begin(a_dag(a_task("a")))
    await site.work()
    return run


async def grow_old(site: LedgerSite) -> None:
    await site.change("UPDATE stored_value SET at = 0")


async def test_what_an_xcom_refers_to_stays_and_goes_with_its_run(site: LedgerSite) -> None:
    run = await begin(site)
    await leave(site, run, stored("one"))
    await leave(site, run, stored("two"), "other")
    await grow_old(site)

    while_there = await unreferred(site)
    await delete_run(site.backends, run.dag_id, run.run_id)

    assert (while_there, await unreferred(site)) == ([], ["one", "two"])


@pytest.mark.parametrize("after", [stored("two"), {"small": 1}, None])
async def test_a_value_in_whose_place_another_is_goes(site: LedgerSite, after: Any) -> None:
    run = await begin(site)
    await leave(site, run, stored("one"))
    key = (await site.instance(run, "a")).key

    async with site.metastore.transaction() as tx:
        if after is None:
            await xcoms.forget(tx, [key])
        else:
            await xcoms.push(tx, [(key, "return_value", after)], await tx.now())
    await grow_old(site)

    assert await unreferred(site) == ["one"]


async def test_the_youngest_stay_and_what_is_forgotten_is_off_the_record(site: LedgerSite) -> None:
    run = await begin(site)
    await leave(site, run, stored("one"))
    await leave(site, run, stored("two"))
    young = await unreferred(site)
    await grow_old(site)

    async with site.metastore.transaction() as tx:
        await stored_values.forget(tx, ["one"])

    assert (young, await unreferred(site)) == ([], [])


async def test_a_value_that_is_reported_again_is_still_its_xcoms(site: LedgerSite) -> None:
    run = await begin(site)
    for name in ("return_value", "return_value", "copied"):
        await leave(site, run, stored("one"), name)
    await grow_old(site)

    assert await unreferred(site) == []
    assert await site.rows("SELECT name, xcom FROM stored_value") == [("one", "return_value")]
