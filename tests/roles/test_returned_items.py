"""ReturnedItems: parsed once, forgotten when there is too much, and never older than the metastore."""

import asyncio
from typing import Any

from flowd.db import xcoms
from flowd.domain.ids import RunId
from flowd.domain.stored_value import StoredValue
from flowd.roles.returned_items import ReturnedItems
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task


async def leave(site: LedgerSite, run: Any, task_id: str, value: Any) -> None:
    instance = await site.instance(run, task_id)
    async with site.metastore.transaction() as tx:
        await xcoms.push(tx, [(instance.key, "return_value", value)], await tx.now())


async def page(
    site: LedgerSite, kept: ReturnedItems, run: Any, task_id: str, start: int = 0, count: int = 200
) -> tuple[list[Any], bool]:
    async with site.metastore.reading() as tx:
        found = await kept.page(
            tx, dag_id=run.dag_id, run_id=run.run_id, task_id=task_id, name="return_value", start=start, count=count
        )
    return found.values, found.is_dict


async def test_items_are_parsed_once_and_anew_when_they_were_replaced(site: LedgerSite) -> None:
    run, kept = await site.begin(a_dag(a_task("a"))), ReturnedItems()
    await leave(site, run, "a", [{"n": 1}, {"n": 2}, {"n": 3}])

    first = await page(site, kept, run, "a")
    ((again,), _) = await page(site, kept, run, "a", start=1, count=1)
    await leave(site, run, "a", [{"n": 2}])
    replaced = await page(site, kept, run, "a", start=0, count=1)

    assert first == ([{"n": 1}, {"n": 2}, {"n": 3}], False)
    assert again is first[0][1]
    assert replaced == ([{"n": 2}], False)
    assert (await page(site, kept, run, "a", start=1, count=1)) == ([], False)


async def test_a_value_that_many_ask_for_at_once_is_counted_once(site: LedgerSite) -> None:
    run, kept = await site.begin(a_dag(a_task("a"), a_task("b"))), ReturnedItems(most_characters=40)
    for task_id in "ab":
        await leave(site, run, task_id, ["x" * 10])

    many = await asyncio.gather(*(page(site, kept, run, "a") for _ in range(2)))
    first, _ = await page(site, kept, run, "a")
    await page(site, kept, run, "b")
    again, _ = await page(site, kept, run, "a")

    assert all(items == ["x" * 10] for items, _ in many)
    assert again[0] is first[0], "two values of 14 characters fit into 40"


async def test_what_was_asked_for_longest_ago_makes_room_and_what_is_too_long_is_not_kept(site: LedgerSite) -> None:
    run, kept = await site.begin(a_dag(a_task("a"), a_task("b"), a_task("long"))), ReturnedItems(most_characters=40)
    for task_id, length in (("a", 10), ("b", 20), ("long", 50)):
        await leave(site, run, task_id, [["x" * length]])

    async def item(task_id: str) -> Any:
        return (await page(site, kept, run, task_id))[0][0]

    a, b, long = await item("a"), await item("b"), await item("long")

    assert await item("b") is b
    assert await item("a") is not a
    assert (await item("long"), await item("long") is long) == (long, False)


async def test_a_dict_has_pairs_and_what_is_not_there_or_no_list_has_no_items(site: LedgerSite) -> None:
    run, kept = await site.begin(a_dag(a_task("a"), a_task("b"), a_task("c"))), ReturnedItems()
    await leave(site, run, "a", {"k": 1})
    await leave(site, run, "b", "text")

    assert await page(site, kept, run, "a") == ([["k", 1]], True)
    assert await page(site, kept, run, "b") == ([], False)
    assert await page(site, kept, run, "c") == ([], False)
    async with site.metastore.reading() as tx:
        found = await kept.page(
            tx, dag_id=run.dag_id, run_id=RunId("other"), task_id="a", name="return_value", start=0, count=1
        )
    assert found.values == []


async def test_the_items_of_a_value_that_is_stored_elsewhere_are_told_by_its_reference(site: LedgerSite) -> None:
    run, kept = await site.begin(a_dag(a_task("a"))), ReturnedItems()
    stored = StoredValue(url="file:///store/a.json", bytes=9, sha256="0" * 64, compression="", length=3)
    await leave(site, run, "a", stored.to_json())

    named: Any = {"dag_id": run.dag_id, "run_id": run.run_id, "task_id": "a", "name": "return_value"}
    async with site.metastore.reading() as tx:
        found = await kept.page(tx, **named, start=0, count=1)
        length = await xcoms.length(tx, **named)

    assert (found.values, found.reference, length) == ([], stored.to_json(), 3)
