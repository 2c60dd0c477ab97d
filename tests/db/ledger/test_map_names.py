"""Names of map indexes: kept as they came last, and no part of what happens to an instance."""

from flowd.db.ledger import map_names
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task


async def test_the_last_name_is_kept_and_cut_and_changes_nothing_else(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b")))
    a, b = await site.instance(run, "a"), await site.instance(run, "b")

    for name in ("first", "ä" * 300):
        async with site.metastore.transaction() as tx:
            await map_names.keep(tx, {a.key: name})
    async with site.metastore.transaction() as tx:
        await map_names.keep(tx, {})

    found = await site.rows("SELECT task_id, rendered_map_index FROM task_instance ORDER BY id")
    assert found == [("a", "ä" * 250), ("b", None)]
    assert (await site.instance(run, "a"), await site.instance(run, "b")) == (a, b)
