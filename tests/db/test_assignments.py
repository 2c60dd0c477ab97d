"""Assignments: all that a worker needs, from the instance, its run and the version the run is pinned to."""

from datetime import timedelta

from flowd.domain.retry import RetryPolicy
from flowd.domain.task_spec import StartMethod
from flowd.domain.work import PythonWork
from tests.support.ledger_site import BUNDLE, LedgerSite
from tests.support.specs import NOW, a_dag, a_task

DAY = timedelta(days=1)


async def test_an_assignment_says_everything_about_its_try(site: LedgerSite) -> None:
    policy = RetryPolicy(retries=2, delay=timedelta(seconds=7))
    work = PythonWork(file="etl.py", callable="load")
    task = a_task(
        "load",
        operator="PythonOperator",
        work=work,
        queue="default",
        retry=policy,
        execution_timeout=DAY,
        start_method=StartMethod.SPAWN,
    )
    run = await site.begin(
        a_dag(task, params={"day": {"value": 1}, "must": {}}), logical_date=NOW, conf={"must": 2, "more": 3}
    )

    made = (await site.claim())["load"].assignment

    assert (made.dag_id, made.run_id, made.task_id, made.map_index) == ("etl", run.run_id, "load", -1)
    assert (made.try_number, made.max_tries, made.operator, made.work) == (1, 2, "PythonOperator", work)
    assert (made.queue, made.bundle, made.retry) == ("default", BUNDLE, policy)
    assert (made.execution_timeout, made.start_method) == (DAY, StartMethod.SPAWN)
    assert (made.run.run_type, made.run.logical_date, made.run.data_interval_start) == ("manual", NOW, NOW)
    assert made.run.start_date == (await site.run(run.key)).started_at
    assert made.run.conf == {"must": 2, "more": 3}
    assert made.run.params == {"day": 1, "must": 2, "more": 3}


async def test_a_try_follows_the_version_its_run_began_with(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("load", operator="Old")))
    await site.put(a_dag(a_task("load", operator="New")))
    await site.trigger(run_id="second")
    await site.settle()

    claims = await site.worker().claim_next(["default"], 9)

    assert [one.assignment.operator for one in claims] == ["Old", "New"]


async def test_a_task_that_its_version_no_longer_has_costs_no_other_its_claim(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("old")), a_dag(a_task("x"), dag_id="other"))
    await site.trigger("other")
    await site.settle()
    await site.put(a_dag(a_task("new")))
    latest = "(SELECT version FROM dag WHERE dag_id = 'etl')"
    await site.change(f"UPDATE dag_run SET dag_version = {latest} WHERE dag_id = 'etl'")

    claims = await site.claim()

    assert sorted(claims) == ["old", "x"]
    assert claims["old"].assignment.work == PythonWork(file="etl.py", callable="old")
