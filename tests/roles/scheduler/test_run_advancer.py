"""RunAdvancer: runs begin, go on and end, with any number of advancers at once and whatever doorbell is lost."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from flowd.actions.clear_tasks import clear_run
from flowd.actions.mark import mark_run
from flowd.actions.pause_dag import set_paused
from flowd.db.graphs import Graphs
from flowd.db.ledger import advance, read
from flowd.db.transaction import Transaction
from flowd.domain.errors import IllegalTransition
from flowd.domain.ids import RunKey
from flowd.domain.states import RunState, TaskState
from flowd.roles.loop import Bell
from flowd.roles.scheduler import run_advancer
from flowd.roles.scheduler.run_advancer import RunAdvancer
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.query_plans import recorded
from tests.support.specs import NOW, a_dag, a_task

DAY = timedelta(days=1)


async def test_a_doorbell_advances_the_runs_it_names(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    await site.succeed((await site.claim())["a"])

    site.advancer.ring([run.key])
    await site.advancer.step()

    assert await site.states(run) == {"a": "success", "b": "scheduled"}


async def test_what_a_lost_doorbell_missed_the_poll_finds(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    await site.succeed((await site.claim())["a"])

    moved = await site.advancer.step()

    assert moved is True
    assert await site.states(run) == {"a": "success", "b": "scheduled"}
    assert await site.advancer.step() is False


async def test_a_rung_run_that_another_scheduler_holds_is_tried_again_soon(open_server_site: OpenSite) -> None:
    site, other = open_server_site(), open_server_site()
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))

    async with other.metastore.transaction() as tx:
        await read.runs(tx, [run.key])
        await site.succeed((await site.claim())["a"])
        site.advancer.ring([run.key])
        pause = await site.advancer.step()
    await site.advancer.step()

    assert pause == run_advancer.HELD_PAUSE
    assert await site.states(run) == {"a": "success", "b": "scheduled"}


async def test_no_effect_is_dated_before_its_cause(open_server_site: OpenSite) -> None:
    site, other = open_server_site(), open_server_site()
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"]), max_active_runs=2))
    claimed = (await site.claim())["a"]
    queued = await site.trigger()

    async with other.metastore.transaction() as tx:
        await advance.lock_dags(tx, [run.dag_id])
        advancing = asyncio.create_task(site.advancer.advance([run.key, queued.key]))
        # It has the runs and the clock that came with them, and waits for the DAG, to see whether it is paused.
        while await free(other, [run.key, queued.key]):  # noqa: ASYNC110 (locks tell nobody)
            await asyncio.sleep(0)
        await other.succeed(claimed)
    await advancing

    a, b = await site.instance(run, "a"), await site.instance(run, "b")
    assert b.state is TaskState.SCHEDULED and a.ended_at is not None and b.scheduled_at is not None
    assert b.scheduled_at >= a.ended_at


async def free(site: LedgerSite, keys: list[RunKey]) -> list[RunKey]:
    """Which of these runs nobody holds."""
    async with site.metastore.transaction() as tx:
        return [run.key for run in (await read.free_runs(tx, keys))[0]]


async def test_a_ring_for_a_run_that_is_no_more_is_forgotten(site: LedgerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_advancer, "HELD_PATIENCE_SECONDS", 0.0)
    site.advancer.ring([RunKey(4711)])

    assert await site.advancer.step() is False
    assert await site.advancer.step() is False


async def test_every_end_rings_the_dispatcher_for_the_slot_that_it_frees(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a")))
    await site.succeed((await site.claim())["a"])
    await site.scheduled.wait(0)

    site.advancer.ring([run.key])
    await site.advancer.step()

    async with asyncio.timeout(120):
        await site.scheduled.wait(None)


async def test_no_more_runs_are_started_than_max_active_runs_and_each_end_lets_the_next_begin(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("load"), max_active_runs=2))
    runs = [await site.trigger() for _ in range(5)]
    seen: list[int] = []

    for _ in runs:
        await site.settle()
        states = [await site.run_state(run) for run in runs]
        seen.append(states.count("running"))
        assert states == sorted(states, key=["success", "running", "queued"].index)
        claimed = await site.worker().claim_next(["default"], 1)
        await site.succeed(claimed[0])
    await site.advance()

    assert seen == [2, 2, 2, 2, 1]
    assert {await site.run_state(run) for run in runs} == {"success"}


async def test_a_long_queue_of_one_dag_hides_no_run_of_another(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_advancer, "MOST_RUNS", 3)
    await site.put(a_dag(a_task("t"), dag_id="busy", max_active_runs=1))
    await site.put(a_dag(a_task("t"), dag_id="small", max_active_runs=1))
    for _ in range(5):
        await site.trigger("busy")
    first, second = await site.trigger("small"), await site.trigger("small")
    await site.settle()
    for claimed in await site.worker().claim_next(["default"], 9):
        if claimed.assignment.dag_id == "small":
            await site.succeed(claimed)

    await site.advance()

    assert (await site.run_state(first), await site.run_state(second)) == ("success", "running")


async def test_runs_that_cannot_begin_hide_no_news_of_those_that_have(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_advancer, "MOST_RUNS", 3)
    await site.put(a_dag(a_task("t"), dag_id="paused"), paused=True)
    for _ in range(5):
        await site.trigger("paused")
    run = await site.begin(a_dag(a_task("t")))
    await site.work()
    await clear_run(site.backends, run.dag_id, run.run_id)

    assert await site.work() == ["t"]


async def test_a_paused_dag_starts_no_run_until_it_is_unpaused(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("load")), paused=True)
    run = await site.trigger()
    await site.settle()
    before = await site.run_state(run)

    await set_paused(site.backends, run.dag_id, False)
    await site.settle()

    assert (before, await site.run_state(run)) == ("queued", "running")


async def test_a_run_does_not_begin_before_the_moment_it_was_asked_for(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("load")))
    async with site.metastore.reading() as tx:
        now = await tx.now()
    run = await site.trigger(run_after=now + DAY)
    site.advancer.ring([run.key])
    await site.settle()
    before = await site.run_state(run)

    await site.pass_time(DAY)
    await site.settle()

    assert (before, await site.run_state(run)) == ("queued", "running")


async def test_a_run_whose_time_is_up_fails_and_what_still_runs_is_fenced(site: LedgerSite) -> None:
    run = await site.begin(
        a_dag(a_task("a"), a_task("b"), a_task("c", after=["b"]), dagrun_timeout=timedelta(minutes=1))
    )
    claims = await site.claim()
    await site.succeed(claims["a"])
    await site.advance()
    before = await site.run_state(run)

    await site.pass_time(timedelta(minutes=1))
    await site.advance()
    late = await site.succeed(claims["b"])

    assert (before, await site.run_state(run)) == ("running", "failed")
    assert await site.states(run) == {"a": "success", "b": "skipped", "c": "skipped"}
    assert isinstance(late, IllegalTransition)


async def test_a_run_that_is_cleared_after_its_time_was_up_has_all_its_time_again(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), dagrun_timeout=timedelta(minutes=1)))
    await site.pass_time(timedelta(minutes=1))
    await site.advance()

    await clear_run(site.backends, run.dag_id, run.run_id)

    assert await site.work() == ["a"]
    assert await site.run_state(run) == "success"


async def test_what_ends_after_its_run_has_nobody_left_to_tell(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    claims = await site.claim()
    await site.succeed(claims["a"])
    async with site.metastore.transaction() as tx:
        await tx.execute("UPDATE dag_run SET state = 'failed', unfinished = 0")

    await site.advance()

    assert await site.states(run) == {"a": "success", "b": "none"}
    assert await site.rows("SELECT id FROM task_instance WHERE needs_propagation") == []


async def test_a_task_that_ends_while_its_run_is_queued_again_is_counted_once(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b"), a_task("c", after=["a", "b"])))
    claims = await site.claim()
    await mark_run(site.backends, run.dag_id, run.run_id, RunState.QUEUED)
    await site.succeed(claims["a"])
    await site.advance()

    state = await site.run_state(run)
    await site.succeed(claims["b"])

    assert (state, (await site.run(run.key)).unfinished) == ("running", 2)
    assert await site.work() == ["c"]
    assert await site.run_state(run) == "success"


async def test_runs_that_wait_for_their_past_hide_no_other_news(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_advancer, "MOST_RUNS", 3)
    await site.put(a_dag(a_task("chained", depends_on_past=True), dag_id="chained"))
    for day in range(6):
        await site.trigger("chained", logical_date=NOW + day * DAY)
    await site.settle()
    run = await site.begin(a_dag(a_task("t")))
    await site.succeed((await site.claim(99))["t"])
    async with site.metastore.transaction() as tx:
        await tx.execute("UPDATE task_instance SET needs_propagation = :no", {"no": False})
        await tx.execute(
            "UPDATE dag_run SET has_news = :yes, unfinished = 0 WHERE id = :id", {"yes": True, "id": run.key}
        )

    for _ in range(4):
        await site.advancer.step()

    assert await site.run_state(run) == "success"


async def test_a_ring_for_nobody_wakes_nobody(open_sqlite_site: OpenSite) -> None:
    site = open_sqlite_site()

    site.advancer.ring([])

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await site.advancer.loop.bell.wait(None)


async def test_advancers_that_start_runs_at_once_keep_to_max_active_runs(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(4)]
    for number in range(5):
        await sites[0].put(a_dag(a_task("t"), dag_id=f"dag{number}", max_active_runs=1))
        runs = [await sites[0].trigger(f"dag{number}") for _ in sites]
        await asyncio.gather(*(site.advancer.advance([run.key]) for site, run in zip(sites, runs, strict=True)))

    running = await sites[0].rows("SELECT dag_id, COUNT(*) FROM dag_run WHERE state = 'running' GROUP BY dag_id")
    assert sorted(running) == [(f"dag{number}", 1) for number in range(5)]


async def test_advancers_at_once_never_do_a_thing_twice(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(3)]
    middle = [f"m{number}" for number in range(4)]
    await sites[0].put(
        a_dag(
            a_task("first"),
            *(a_task(name, after=["first"]) for name in middle),
            a_task("last", after=middle),
            max_active_runs=4,
        )
    )
    runs = [await sites[0].trigger() for _ in range(8)]

    async def advance(site: LedgerSite) -> None:
        site.advancer.ring([run.key for run in runs])
        await site.advance()

    while {await sites[0].run_state(run) for run in runs} != {"success"}:
        await asyncio.gather(*map(advance, sites))
        running = [run for run in runs if await sites[0].run_state(run) == "running"]
        assert len(running) <= 4
        await sites[0].settle()
        for claimed in await sites[0].worker().claim_next(["default"], 7):
            await sites[0].succeed(claimed)

    for run in runs:
        for task in ["first", *middle, "last"]:
            assert await sites[0].causes(run, task) == ["scheduled", "queued", "claimed", "succeeded"]
    assert await sites[0].rows("SELECT DISTINCT up_success FROM task_instance WHERE task_id = 'last'") == [(4,)]


async def test_a_time_limit_beyond_all_calendars_stops_no_run(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("t"), dagrun_timeout=timedelta(days=3_000_000)))
    run = await site.trigger()

    assert await site.work() == ["t"]
    assert await site.run_state(run) == "success"


async def test_a_run_that_cannot_be_advanced_keeps_no_other_from_it(site: LedgerSite) -> None:
    bad = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"]), dag_id="bad"))
    good = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"]), dag_id="good"))
    for claimed in await site.worker().claim_next(["default"], 9):
        await site.succeed(claimed)
    await site.change("UPDATE task_instance SET skips = '[' WHERE task_id = 'a' AND dag_id = 'bad'")

    site.advancer.ring([bad.key, good.key])
    with capture_logs() as events:
        await site.advancer.step()

    assert [await site.states(run) for run in (bad, good)] == [
        {"a": "success", "b": "none"},
        {"a": "success", "b": "scheduled"},
    ]
    assert [event["run"] for event in events if event["event"] == "left out"] == [bad.key]


async def test_under_steady_rings_what_was_forgotten_is_found_at_every_interval(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = await site.begin(a_dag(a_task("t"), dag_id="busy"))
    await site.put(a_dag(a_task("t"), max_active_runs=1))
    first, second = await site.trigger(), await site.trigger()
    await site.settle()
    for claimed in await site.worker().claim_next(["default"], 9):
        if claimed.assignment.dag_id == "etl":
            await site.succeed(claimed)
    advancer = RunAdvancer(
        site.metastore,
        site.graphs,
        timedelta(0),
        scheduled=Bell(),
        ended=Bell(),
        backfill_news=Bell(),
        callbacks_due=Bell(),
        asset_news=Bell(),
    )

    for _ in range(3):
        advancer.ring([busy.key, first.key])
        await advancer.step()

    assert [await site.run_state(run) for run in (first, second)] == ["success", "running"]


@pytest.fixture
def rare(site: LedgerSite) -> RunAdvancer:
    """An advancer that looks around by itself once a day."""
    return RunAdvancer(
        site.metastore,
        site.graphs,
        DAY,
        scheduled=Bell(),
        ended=Bell(),
        backfill_news=Bell(),
        callbacks_due=Bell(),
        asset_news=Bell(),
    )


async def test_a_ring_costs_no_look_at_the_whole_ledger(
    site: LedgerSite, rare: RunAdvancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = advance.runs_with_ended

    async def counted(tx: Transaction, *, limit: int) -> set[RunKey]:
        looks.append(limit)
        return await look(tx, limit=limit)

    monkeypatch.setattr(advance, "runs_with_ended", counted)
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"]), a_task("c", after=["b"])))
    await rare.step()
    looks.clear()

    for name in "ab":
        await site.succeed((await site.claim())[name])
        rare.ring([run.key])
        assert await rare.step() is False
        await site.dispatcher.step()

    assert (await site.states(run))["c"] == "queued"
    assert looks == []


async def test_a_run_that_ends_by_a_ring_lets_the_next_begin(site: LedgerSite, rare: RunAdvancer) -> None:
    await site.put(a_dag(a_task("t"), max_active_runs=1))
    first, second = await site.trigger(), await site.trigger()
    await site.settle()
    await rare.step()
    await site.succeed((await site.claim())["t"])

    rare.ring([first.key])
    await rare.step()
    await asyncio.wait_for(rare.loop.bell.wait(None), 10)
    await rare.step()

    assert [await site.run_state(run) for run in (first, second)] == ["success", "running"]


async def test_a_run_that_is_rung_behind_many_others_has_its_turn_though_they_are_rung_again(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_advancer, "MOST_RUNS", 2)
    await site.put(a_dag(a_task("a"), a_task("b", after=["a"])))
    runs = [await site.trigger() for _ in range(4)]
    await site.settle()
    for claimed in await site.worker().claim_next(["default"], 9):
        if claimed.assignment.run_id == runs[-1].run_id:
            await site.succeed(claimed)

    for _ in range(2):
        site.advancer.ring([run.key for run in runs])
        await site.advancer.step()

    assert await site.states(runs[-1]) == {"a": "success", "b": "scheduled"}


async def test_a_held_run_does_not_ring_for_itself(open_server_site: OpenSite) -> None:
    site, other = open_server_site(), open_server_site()
    run = await site.begin(a_dag(a_task("a")))

    async with other.metastore.transaction() as tx:
        await read.runs(tx, [run.key])
        site.advancer.ring([run.key])
        await site.advancer.loop.bell.wait(0)
        pause = await site.advancer.step()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await site.advancer.loop.bell.wait(None)
    assert pause == run_advancer.HELD_PAUSE


async def test_a_held_run_is_left_to_the_poll_in_time_whatever_else_is_advanced(
    open_server_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, other = open_server_site(), open_server_site()
    await site.put(a_dag(a_task("a")))
    held, free = await site.trigger(), await site.trigger()
    await site.settle()

    async with other.metastore.transaction() as tx:
        await read.runs(tx, [held.key])
        site.advancer.ring([held.key])
        first = await site.advancer.step()
        await site.advancer.advance([free.key])
        monkeypatch.setattr(run_advancer, "HELD_PATIENCE_SECONDS", 1e-6)
        second = await site.advancer.step()

    assert (first, second) == (run_advancer.HELD_PAUSE, False)


async def test_a_dag_is_paused_after_so_many_failed_runs_in_a_row(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("t"), max_consecutive_failed_runs=2))
    paused = []
    for failing in (["t"], [], ["t"], ["t"]):
        run = await site.trigger()
        site.advancer.ring([run.key])
        await site.work(failing=failing)
        paused.append(bool((await site.rows("SELECT is_paused FROM dag"))[0][0]))

    assert paused == [False, False, False, True]


async def test_what_a_dag_allows_is_known_while_its_runs_wait_though_its_graph_is_not(
    open_sqlite_site: OpenSite,
) -> None:
    site = open_sqlite_site(graphs=Graphs(most_tasks=0))
    await site.begin(a_dag(a_task("t"), max_active_runs=1))
    waiting = await site.trigger()
    await site.settle()

    with recorded(["dag_version"]) as statements:
        site.advancer.look()
        await site.advancer.step()

    assert await site.run_state(waiting) == "queued"
    assert [one.text for one in statements if "spec" in one.text] == []
