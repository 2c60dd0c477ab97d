"""fail_fast: the first failure ends the run's other tasks, in the ledger and in the graph below them."""

from flowd.domain.retry import RetryPolicy
from flowd.domain.task_spec import TaskRole
from flowd.domain.trigger_rules import TriggerRule
from tests.support.ledger_site import LedgerSite
from tests.support.specs import a_dag, a_task


async def test_the_first_failure_ends_what_runs_and_what_has_not_begun(site: LedgerSite) -> None:
    run = await site.begin(
        a_dag(
            a_task("bad"),
            a_task("done"),
            a_task("slow"),
            a_task("next", after=["slow"]),
            a_task("last", after=["bad", "next"]),
            fail_fast=True,
        )
    )
    claims = await site.claim()
    await site.succeed(claims["done"])
    await site.fail(claims["bad"])

    await site.settle()

    assert await site.states(run) == {
        "bad": "failed", "done": "success", "slow": "failed", "next": "skipped", "last": "skipped",
    }  # fmt: skip
    assert await site.run_state(run) == "failed"


async def test_a_failure_that_is_tried_again_ends_nothing(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("bad", retry=RetryPolicy(retries=1)), a_task("slow"), fail_fast=True))
    claims = await site.claim()

    await site.fail(claims["bad"])
    await site.advance()

    assert await site.states(run) == {"bad": "up_for_retry", "slow": "running"}


async def test_teardowns_run_all_the_same(site: LedgerSite) -> None:
    run = await site.begin(
        a_dag(
            a_task("up", role=TaskRole.SETUP),
            a_task("bad", after=["up"]),
            a_task("other", after=["up"]),
            a_task(
                "down",
                after=["up", "bad", "other"],
                role=TaskRole.TEARDOWN,
                trigger_rule=TriggerRule.ALL_DONE_SETUP_SUCCESS,
            ),
            fail_fast=True,
        )
    )
    await site.succeed((await site.claim())["up"])
    await site.settle()
    claims = await site.claim()
    await site.fail(claims["bad"])

    assert await site.work() == ["down"]
    assert await site.states(run) == {"up": "success", "bad": "failed", "other": "failed", "down": "success"}


async def test_a_dag_that_is_not_hasty_goes_on(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("bad"), a_task("other")))

    await site.work(failing=["bad"])

    assert await site.states(run) == {"bad": "failed", "other": "success"}
