"""depends_on_past and wait_for_downstream: what of the run before must have gone well."""

from datetime import timedelta

import pytest

from flowd.domain.task_spec import TaskSpec
from tests.support.ledger_site import LedgerSite
from tests.support.specs import NOW, a_dag, a_task

DAY = timedelta(days=1)


def waiting(*, waits_for_downstream: bool) -> TaskSpec:
    return a_task("load", depends_on_past=True, waits_for_downstream=waits_for_downstream)


async def test_a_task_waits_for_what_is_directly_below_it_in_the_run_before(site: LedgerSite) -> None:
    await site.put(
        a_dag(waiting(waits_for_downstream=True), a_task("check", after=["load"]), a_task("tell", after=["check"]))
    )
    first = await site.trigger(logical_date=NOW)
    second = await site.trigger(logical_date=NOW + DAY)
    await site.settle()

    await site.succeed((await site.claim())["load"])
    await site.settle()
    before = await site.states(second)
    await site.succeed((await site.claim())["check"])
    await site.settle()

    assert before["load"] == "none"
    assert (await site.states(first))["tell"] == "queued"
    assert (await site.states(second))["load"] == "queued"


@pytest.mark.parametrize(("waits", "load"), [(True, "none"), (False, "queued")])
async def test_a_failure_below_it_holds_the_next_run(site: LedgerSite, waits: bool, load: str) -> None:
    await site.put(a_dag(waiting(waits_for_downstream=waits), a_task("check", after=["load"])))
    await site.trigger(logical_date=NOW)
    second = await site.trigger(logical_date=NOW + DAY)
    await site.settle()
    await site.succeed((await site.claim())["load"])
    await site.settle()
    claims = await site.claim()
    await site.fail(claims["check"])

    await site.settle()

    assert (await site.states(second))["load"] == (load if waits else "running")
