"""What tasks may ask about other DAGs."""

from datetime import timedelta

from flowd.db import external
from flowd.db.external import ExternalDag, ExternalTask, RunChoice
from flowd.domain.ids import DagId
from tests.support.ledger_site import LedgerSite
from tests.support.specs import NOW, a_dag, a_task

GROUPS = {"id": None, "children": ["first", {"id": "outer", "children": ["a", {"id": "inner", "children": ["b"]}]}]}
CHILD = a_dag(a_task("first"), a_task("a"), a_task("b"), dag_id="child", presentation={"groups": GROUPS})
DAG_ID = DagId("child")


async def test_a_dag_is_found_with_its_tasks_and_groups(site: LedgerSite) -> None:
    await site.put(CHILD, paused=True)

    async with site.metastore.reading() as tx:
        assert await external.find_dag(tx, DagId("nowhere")) is None
        assert await external.find_dag(tx, DAG_ID) == ExternalDag(
            is_active=True, is_paused=True, tasks=["first", "a", "b"], groups={"inner": ["b"], "outer": ["a", "b"]}
        )


async def test_runs_and_tasks_are_found_by_id_and_by_date(site: LedgerSite) -> None:
    first = await site.begin(CHILD, logical_date=NOW, run_id="one")
    await site.work()
    await site.trigger("child", logical_date=NOW + timedelta(days=1), run_id="two")

    async with site.metastore.reading() as tx:
        states = {
            name: await external.run_states(tx, choice)
            for name, choice in {
                "all": RunChoice(dag_id=DAG_ID),
                "id": RunChoice(dag_id=DAG_ID, run_ids=["two", "three"]),
                "date": RunChoice(dag_id=DAG_ID, logical_dates=[NOW]),
                "none": RunChoice(dag_id=DAG_ID, run_ids=[]),
            }.items()
        }
        tasks = await external.task_states(tx, RunChoice(dag_id=DAG_ID), task_ids=["a", "b"], map_index=-1)

    assert states == {
        "all": {"one": "success", "two": "queued"},
        "id": {"two": "queued"},
        "date": {"one": "success"},
        "none": {},
    }
    assert tasks == [
        ExternalTask(run_id=first.run_id, task_id=task, map_index=-1, state="success") for task in ("a", "b")
    ]
