"""Succession: what dead workers held is given back, and what they had to report is reported."""

from pathlib import Path

from flowd.roles.worker.spool import SPOOL, Spool
from flowd.roles.worker.succession import take_over
from flowd.roles.worker.worker_home import worker_home
from tests.roles.worker.reports import keep, report_on, reporting
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task


async def test_a_worker_takes_over_from_its_predecessor_and_from_the_homes_beside_it(
    site: LedgerSite, tmp_path: Path
) -> None:
    run = await site.begin(a_dag(a_task("mine"), a_task("running"), a_task("done")))
    with worker_home(tmp_path, "w") as first, worker_home(tmp_path, "w") as second:
        await site.worker(first.name).claim_next(["default"], 1)
        claims = await site.worker(second.name).claim_next(["default"], 2)
        spool = Spool(second.folder / SPOOL)
        await keep(spool, [report_on(claims[1])])
        spool.close()

    with worker_home(tmp_path, "w") as home:
        async with reporting(site, home.folder) as reporter:
            runs = await take_over(site.metastore, home, reporter)
            assert await take_over(site.metastore, home, reporter) == []

    assert set(runs) == {run.key}
    assert sorted((await site.states(run)).values()) == ["success", "up_for_retry", "up_for_retry"]
    assert (second.folder / SPOOL).stat().st_size == 0


async def test_nothing_is_taken_from_a_living_worker(site: LedgerSite, tmp_path: Path) -> None:
    run = await site.begin(a_dag(a_task("load")))
    with worker_home(tmp_path, "w") as home, worker_home(tmp_path, "w") as living:
        await site.worker(living.name).claim_next(["default"], 1)
        async with reporting(site, home.folder) as reporter:
            assert await take_over(site.metastore, home, reporter) == []

    assert await site.states(run) == {"load": "running"}
