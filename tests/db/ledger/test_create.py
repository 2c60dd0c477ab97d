"""Making runs: of any number of nodes that try, one succeeds, and nobody's transaction is lost by it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from flowd.db.ledger.create import NewRun, create_run, find_by_idempotency_key
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import Conflict
from flowd.domain.ids import DagId, RunId
from flowd.domain.states import RunType, TriggeredBy
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import BUNDLE, LedgerSite
from tests.support.specs import NOW, a_dag, a_task

ETL = DagId("etl")


def a_new_run(version: int, run_id: str = "r1", **fields: Any) -> NewRun:
    defaults: dict[str, Any] = {"run_type": RunType.MANUAL, "triggered_by": TriggeredBy.CLI, "run_after": NOW}
    return NewRun(dag_id=ETL, run_id=RunId(run_id), dag_version=version, bundle=BUNDLE, **(defaults | fields))


async def version_of_etl(site: LedgerSite) -> int:
    await site.put(a_dag(a_task("load")))
    ((version,),) = await site.rows("SELECT version FROM dag")
    return int(version)


@pytest.mark.parametrize(
    "second",
    [
        {"run_id": "r1"},
        {"run_id": "r2", "logical_date": NOW},
        {"run_id": "r2", "idempotency_key": "key"},
    ],
    ids=["run id", "logical date", "idempotency key"],
)
async def test_a_second_run_of_the_same_name_is_refused_and_the_transaction_goes_on(
    site: LedgerSite, second: dict[str, Any]
) -> None:
    version = await version_of_etl(site)

    async with site.metastore.transaction() as tx:
        first = await create_run(tx, a_new_run(version, logical_date=NOW, idempotency_key="key"), NOW)
        with pytest.raises(Conflict, match=r"^DAG 'etl' has a run with the id"):
            await create_run(tx, a_new_run(version, **second), NOW)
        found = await find_by_idempotency_key(tx, ETL, "key")
        third = await create_run(tx, a_new_run(version, "r3"), NOW)

    assert found is not None and found.key == first.key
    assert await site.rows("SELECT id, run_id FROM dag_run ORDER BY id") == [(first.key, "r1"), (third.key, "r3")]


async def test_of_creators_that_race_exactly_one_makes_the_run(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(4)]
    version = await version_of_etl(sites[0])
    dates = [NOW + timedelta(days=day) for day in range(5)]

    async def create(site: LedgerSite, date: datetime) -> DagRun | None:
        try:
            async with site.metastore.transaction() as tx:
                return await create_run(tx, a_new_run(version, date.isoformat(), logical_date=date), NOW)
        except Conflict:
            return None

    made = await asyncio.gather(*(create(site, date) for date in dates for site in sites))

    assert sorted(run.run_id for run in made if run) == [date.isoformat() for date in dates]
    assert len(await sites[0].rows("SELECT id FROM dag_run")) == 5


async def test_a_new_run_is_queued_and_has_news_for_the_advancer(site: LedgerSite) -> None:
    version = await version_of_etl(site)

    async with site.metastore.transaction() as tx:
        made = await create_run(tx, a_new_run(version, conf={"é": 1}), NOW)

    run = await site.run(made.key)
    assert (run.state, run.version, run.unfinished, run.has_news) == ("queued", 0, 0, True)
    assert await site.rows("SELECT * FROM task_instance") == []
