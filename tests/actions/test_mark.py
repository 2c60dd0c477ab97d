"""mark_tasks, cancel_tasks and mark_run: a user's word stands, and old processes are fenced."""

from collections.abc import Sequence

import pytest

from flowd.actions.clear_tasks import clear_run
from flowd.actions.mark import cancel_tasks, mark_run, mark_tasks
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import Conflict, IllegalTransition, InvalidInput, NotFound
from flowd.domain.ids import UNMAPPED, RunId, TaskId
from flowd.domain.states import RunState, TaskState
from tests.support.ledger_site import LEASE, LedgerSite
from tests.support.specs import a_dag, a_task

LINE = a_dag(a_task("a"), a_task("b", after=["a"]), a_task("c", after=["b"]))


def named(*tasks: str) -> Sequence[tuple[TaskId, int]]:
    return [(TaskId(task), UNMAPPED) for task in tasks]


async def mark(site: LedgerSite, run: DagRun, state: TaskState, *tasks: str) -> None:
    await mark_tasks(site.backends, run.dag_id, run.run_id, named(*tasks), state)


async def test_a_task_that_is_marked_as_success_lets_those_below_go_on(site: LedgerSite) -> None:
    run = await site.begin(LINE)
    claimed = (await site.claim())["a"]

    await mark(site, run, TaskState.SUCCESS, "a")
    late = await site.succeed(claimed)

    assert isinstance(late, IllegalTransition)
    assert await site.work() == ["b", "c"]
    assert await site.run_state(run) == "success"
    assert await site.rows("SELECT up_success FROM task_instance WHERE task_id = 'b'") == [(1,)]


async def test_a_task_that_is_marked_as_failed_fails_what_is_below(site: LedgerSite) -> None:
    run = await site.begin(LINE)

    await mark(site, run, TaskState.FAILED, "a")

    assert await site.work() == []
    assert await site.states(run) == {"a": "failed", "b": "upstream_failed", "c": "upstream_failed"}
    assert await site.run_state(run) == "failed"


async def test_a_task_named_twice_is_marked_all_the_same(site: LedgerSite) -> None:
    run = await site.begin(LINE)

    await mark(site, run, TaskState.SKIPPED, "a", "c", "a")

    assert await site.work() == []
    assert await site.states(run) == {"a": "skipped", "b": "skipped", "c": "skipped"}
    assert (await site.run(run.key)).unfinished == 0


async def test_another_mark_replaces_the_first_in_the_count_of_those_below(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("other"), a_task("end", after=["a", "other"])))
    claims = await site.claim()
    await site.succeed(claims["a"])
    await site.advance()

    await mark(site, run, TaskState.SKIPPED, "a")
    await site.advance()

    assert await site.rows("SELECT up_success, up_skipped FROM task_instance WHERE task_id = 'end'") == [(0, 1)]
    assert (await site.states(run))["end"] == "skipped"


async def test_i10_a_marked_process_holds_up_the_next_one(site: LedgerSite) -> None:
    run = await site.begin(LINE)
    await site.claim()
    await mark(site, run, TaskState.FAILED, "a")
    await site.advance()

    await clear_run(site.backends, run.dag_id, run.run_id)
    before = await site.work()
    await site.pass_time(LEASE)

    assert (before, await site.work()) == ([], ["a", "b", "c"])


@pytest.mark.parametrize("state", [TaskState.RUNNING, TaskState.UPSTREAM_FAILED, TaskState.NONE])
async def test_a_state_that_nobody_may_give_is_refused(site: LedgerSite, state: TaskState) -> None:
    run = await site.begin(LINE)

    with pytest.raises(
        InvalidInput, match=f"^a task instance cannot be marked {state}; wanted success, failed or skipped$"
    ):
        await mark(site, run, state, "a")


async def test_what_is_not_there_cannot_be_marked(site: LedgerSite) -> None:
    run = await site.begin(LINE)

    with pytest.raises(NotFound, match=r"task_id: `x` and map_index: `-1` was not found$"):
        await mark(site, run, TaskState.FAILED, "a", "x")
    with pytest.raises(NotFound, match=r"^The DagRun with dag_id: `etl` and run_id: `no` was not found$"):
        await mark_run(site.backends, run.dag_id, RunId("no"), RunState.FAILED)

    assert (await site.states(run))["a"] == "queued"


async def test_a_cancelled_task_ends_at_once_unless_a_worker_must_first_kill_it(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("runs"), a_task("waits"), a_task("below", after=["waits"])))
    await site.claim(1)
    await cancel_tasks(site.backends, run.dag_id, run.run_id, named("runs", "waits"))
    await site.advance()

    first = await site.states(run)
    running = await site.instance(run, "runs")

    assert first == {"runs": "running", "waits": "failed", "below": "upstream_failed"}
    assert running.is_cancel_requested


async def test_of_tasks_of_which_one_has_ended_none_is_stopped(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("over"), a_task("runs")))
    await site.succeed((await site.claim())["over"])

    with pytest.raises(Conflict, match=r"has ended \(success\): there is nothing to stop$"):
        await cancel_tasks(site.backends, run.dag_id, run.run_id, named("runs", "over"))

    assert not (await site.instance(run, "runs")).is_cancel_requested


async def test_a_run_that_is_marked_as_success_ends_with_all_it_has(site: LedgerSite) -> None:
    run = await site.begin(LINE)
    claimed = (await site.claim())["a"]

    await mark_run(site.backends, run.dag_id, run.run_id, RunState.SUCCESS)
    late = await site.succeed(claimed)

    assert isinstance(late, IllegalTransition)
    assert set((await site.states(run)).values()) == {"success"}
    assert (await site.run_state(run), await site.work()) == ("success", [])


async def test_a_run_that_is_marked_as_failed_fails_what_runs_and_skips_the_rest(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("done"), a_task("runs"), a_task("below", after=["runs"])))
    claims = await site.claim()
    await site.succeed(claims["done"])

    ended = await mark_run(site.backends, run.dag_id, run.run_id, RunState.FAILED)

    assert await site.states(run) == {"done": "success", "runs": "failed", "below": "skipped"}
    assert (ended.state, await site.run_state(run)) == ("failed", "failed")
    await site.advance()
    assert (await site.run(run.key)).unfinished == 0


async def test_a_run_that_is_queued_again_goes_on_with_what_it_has_not_finished(site: LedgerSite) -> None:
    run = await site.begin(LINE)
    await site.succeed((await site.claim())["a"])
    await site.settle()

    await mark_run(site.backends, run.dag_id, run.run_id, RunState.QUEUED)

    assert await site.run_state(run) == "queued"
    assert await site.work() == ["b", "c"]
    assert await site.run_state(run) == "success"


async def test_a_run_cannot_be_marked_running(site: LedgerSite) -> None:
    run = await site.begin(LINE)

    with pytest.raises(InvalidInput, match=r"^a run cannot be marked running; wanted success, failed or queued$"):
        await mark_run(site.backends, run.dag_id, run.run_id, RunState.RUNNING)
