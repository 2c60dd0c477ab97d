"""XComs: what tasks leave for others, by task, run and name."""

from datetime import timedelta
from typing import Any

from flowd.db import xcoms
from flowd.db.ledger import lease
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import RunId
from tests.support.ledger_site import LedgerSite, token_of
from tests.support.specs import NOW, a_dag, a_task

DAY = timedelta(days=1)


async def push(site: LedgerSite, run: DagRun, task_id: str, **values: Any) -> None:
    key = (await site.instance(run, task_id)).key
    async with site.metastore.transaction() as tx:
        await xcoms.push(tx, [(key, name, value) for name, value in values.items()], await tx.now())


async def pull(site: LedgerSite, run: DagRun, name: str = "n", **fields: Any) -> list[Any]:
    wanted = {"task_ids": None, "map_indexes": None, "include_prior_dates": False} | fields
    async with site.metastore.reading() as tx:
        found = await xcoms.pull(tx, dag_id=run.dag_id, run_id=run.run_id, name=name, **wanted)
    return [(one.run_id, one.task_id, one.value) for one in found]


async def three_days(site: LedgerSite) -> list[DagRun]:
    await site.put(a_dag(a_task("a"), a_task("b")))
    runs = [
        await site.trigger(run_id=RunId(f"r{n}"), logical_date=NOW + n * DAY, run_after=NOW + n * DAY) for n in range(3)
    ]
    await site.settle()
    return runs


async def test_text_that_no_database_holds_comes_back_as_it_was(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))
    text = "NUL \0, half a character \udce9, whole ones é \U0001f600, and \\u0000 spelt out"

    await push(site, run, "a", **{"n": {text: [text]}, "caf\udce9\0": 1})

    assert [value for _, _, value in await pull(site, run)] == [{text: [text]}]
    assert [value for _, _, value in await pull(site, run, "caf\\udce9\\x00")] == [1]


async def test_values_of_every_kind_come_back_as_they_were(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))
    values = [None, True, 1.5, "é\n", [1, {"a": []}], {"deep": {"er": None}}]

    for number, value in enumerate(values):
        await push(site, run, "a", **{f"n{number}": value})

    for number, value in enumerate(values):
        assert await pull(site, run, f"n{number}") == [(run.run_id, "a", value)]


async def test_a_second_push_takes_the_place_of_the_first(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))

    await push(site, run, "a", n=1, other=7)
    await push(site, run, "a", n=2)

    assert await pull(site, run) == [(run.run_id, "a", 2)]
    assert await pull(site, run, "other") == [(run.run_id, "a", 7)]


async def test_a_pull_is_of_one_run_and_in_the_order_of_its_tasks(site: LedgerSite) -> None:
    first, second, _ = await three_days(site)
    await push(site, second, "b", n=3)
    await push(site, second, "a", n=2)
    await push(site, first, "a", n=1)

    assert await pull(site, second) == [("r1", "a", 2), ("r1", "b", 3)]
    assert await pull(site, second, task_ids=["b", "nosuch"]) == [("r1", "b", 3)]
    assert await pull(site, second, map_indexes=[0]) == []
    assert await pull(site, second, map_indexes=[-1], task_ids=["a"]) == [("r1", "a", 2)]
    assert await pull(site, second, task_ids=[]) == []


async def test_with_prior_dates_the_latest_of_each_task_is_found_and_none_of_a_later_run(site: LedgerSite) -> None:
    first, second, third = await three_days(site)
    await push(site, first, "a", n="old")
    await push(site, first, "b", n="older")
    await push(site, second, "a", n="newer")
    await push(site, third, "a", n="future")
    await push(site, third, "b", n="future")

    assert await pull(site, second, include_prior_dates=True) == [("r1", "a", "newer"), ("r0", "b", "older")]
    assert await pull(site, second) == [("r1", "a", "newer")]


async def test_what_is_forgotten_is_forgotten_of_those_instances_alone(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b")))
    await push(site, run, "a", n=1, m=2)
    await push(site, run, "b", n=3)

    async with site.metastore.transaction() as tx:
        await xcoms.forget(tx, [(await site.instance(run, "a")).key])

    assert await pull(site, run) == [(run.run_id, "b", 3)]
    assert await pull(site, run, "m") == []


async def test_nothing_to_push_is_no_statement_at_all(site: LedgerSite) -> None:
    async with site.metastore.transaction() as tx:
        await xcoms.push(tx, [], NOW)

    assert await site.rows("SELECT * FROM xcom") == []


async def test_i4_a_fenced_try_can_be_told_before_it_pushes(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))
    claimed = (await site.claim())["a"]
    key = claimed.assignment.instance

    for token in (claimed.token, token_of(1)):
        async with site.metastore.transaction() as tx:
            if await lease.standing(tx, key, token):
                await xcoms.push(tx, [(key, "n", token)], await tx.now())

    assert await pull(site, run) == [(run.run_id, "a", claimed.token)]
