"""Graphs: each DAG version is read once and kept for as long as there is room."""

import pytest

from flowd.db.graphs import Graphs
from flowd.db.metastore import Metastore
from flowd.domain.errors import NotFound
from tests.support.ledger_site import LedgerSite
from tests.support.query_plans import recorded
from tests.support.specs import a_dag, a_task

TABLES = ("dag_version",)


async def versions(site: LedgerSite, *dag_ids: str) -> list[int]:
    await site.put(*(a_dag(a_task(f"task_of_{dag_id}"), dag_id=dag_id) for dag_id in dag_ids))
    rows = dict(await site.rows("SELECT dag_id, id FROM dag_version"))
    return [rows[dag_id] for dag_id in dag_ids]


async def read(metastore: Metastore, graphs: Graphs, *wanted: int) -> int:
    """Get these versions and return how many statements that took."""
    with recorded(TABLES) as statements:
        async with metastore.reading() as tx:
            found = await graphs.get(tx, wanted)
    assert found.keys() == set(wanted)
    return len(statements)


async def test_a_graph_is_what_was_stored_under_its_version(site: LedgerSite) -> None:
    first, second = await versions(site, "a", "b")

    async with site.metastore.reading() as tx:
        found = await Graphs().get(tx, [first, second, first])

    assert {key: list(graph.tasks) for key, graph in found.items()} == {first: ["task_of_a"], second: ["task_of_b"]}


async def test_what_is_in_memory_is_not_read_again_and_the_rest_at_once(site: LedgerSite) -> None:
    a, b, c = await versions(site, "a", "b", "c")
    graphs = Graphs()

    assert [await read(site.metastore, graphs, *keys) for keys in ([a], [a], [a, b, c], [], [c, b])] == [1, 0, 1, 0, 0]


async def test_what_was_used_longest_ago_makes_room(site: LedgerSite) -> None:
    a, b, c = await versions(site, "a", "b", "c")
    graphs = Graphs(most_tasks=2)
    for key in (a, b, a, c):
        await read(site.metastore, graphs, key)

    assert [await read(site.metastore, graphs, key) for key in (a, c, b)] == [0, 0, 1]


async def test_more_than_there_is_room_for_is_still_returned(site: LedgerSite) -> None:
    keys = await versions(site, "a", "b", "c")

    assert await read(site.metastore, Graphs(most_tasks=1), *keys) == 1


async def test_a_version_that_is_not_there_is_named(site: LedgerSite) -> None:
    (known,) = await versions(site, "a")

    with pytest.raises(NotFound, match=rf"^DAG versions \[{known + 1}\] are not in the metastore"):
        async with site.metastore.reading() as tx:
            await Graphs().get(tx, [known, known + 1])
