"""MappedResults: one list for all that were scheduled together, and never older than what they were scheduled after."""

from typing import Any

from flowd.actions.clear_tasks import ClearSelection, clear_tasks
from flowd.domain.dag_run import DagRun
from flowd.domain.ids import TaskId
from flowd.domain.map_length import Expansion, LiteralLength, ResultLength
from flowd.roles.mapped_results import MappedResults
from tests.support.ledger_site import LedgerSite
from tests.support.query_plans import recorded
from tests.support.specs import a_dag, a_task


def over(task_id: str, length: int) -> Any:
    return a_task(task_id, expansion=Expansion(length=LiteralLength(length)))


MAPPED = a_dag(
    over("m", 4),
    a_task("c", after=["m"], expansion=Expansion(length=ResultLength(TaskId("m")))),
    a_task("d", after=["m"]),
)
THREE = {f"m[{index}]": {"n": index} for index in (0, 2, 3)}


async def page(
    site: LedgerSite, kept: MappedResults, run: DagRun, asked_by: tuple[str, int] | None, start: int, count: int = 1
) -> list[Any]:
    key = None if asked_by is None else (await site.instance(run, *asked_by)).key
    async with site.metastore.reading() as tx:
        return await kept.page(
            tx,
            dag_id=run.dag_id,
            run_id=run.run_id,
            task_id="m",
            name="return_value",
            start=start,
            count=count,
            asked_by=key,
        )


async def test_each_finds_its_own_and_only_the_first_looks_through_all(site: LedgerSite) -> None:
    run, kept = await site.begin(MAPPED), MappedResults()
    await site.work(returning=THREE)

    with recorded(["xcom"]) as statements:
        found = [await page(site, kept, run, ("c", index), index) for index in range(3)]

    assert found == [[{"n": 0}], [{"n": 2}], [{"n": 3}]]
    assert sum("ORDER BY t.map_index" in one.text for one in statements) == 1
    assert await page(site, kept, run, ("c", 0), 0, 200) == [{"n": 0}, {"n": 2}, {"n": 3}]
    assert await page(site, kept, run, ("c", 0), 3) == []


async def test_what_is_scheduled_again_sees_what_has_changed_since(site: LedgerSite) -> None:
    run, kept = await site.begin(MAPPED), MappedResults()
    await site.work(returning=THREE)
    before = await page(site, kept, run, ("c", 1), 1)

    again = ClearSelection(
        dag_id=run.dag_id,
        run_id=run.run_id,
        task_ids=[TaskId("m")],
        map_indexes={TaskId("m"): [0, 1]},
        include_downstream=True,
    )
    await clear_tasks(site.backends, again, dry_run=False)
    await site.work(returning={"m[1]": "new"})

    assert before == [{"n": 2}]
    assert await page(site, kept, run, ("c", 0), 0, 9) == ["new", {"n": 2}, {"n": 3}]


async def test_who_asks_for_no_instance_is_told_what_there_is_now(site: LedgerSite) -> None:
    run, kept = await site.begin(MAPPED), MappedResults()

    empty = await page(site, kept, run, None, 0, 9)
    await site.work(returning=THREE)

    assert (empty, await page(site, kept, run, None, 0, 9)) == ([], [{"n": 0}, {"n": 2}, {"n": 3}])


async def test_what_was_asked_for_longest_ago_makes_room(site: LedgerSite) -> None:
    run, kept = await site.begin(MAPPED), MappedResults(most_instances=5)
    await site.work(returning=THREE)
    await page(site, kept, run, ("c", 0), 0)
    await page(site, kept, run, ("d", -1), 0, 9)

    with recorded(["xcom"]) as statements:
        d = await page(site, kept, run, ("d", -1), 0)
        c = await page(site, kept, run, ("c", 0), 0)

    assert c == d == [{"n": 0}]
    assert sum("ORDER BY t.map_index" in one.text for one in statements) == 1, "two lists of three do not fit into five"
