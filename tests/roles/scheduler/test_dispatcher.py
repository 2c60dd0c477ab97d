"""Dispatcher: no limit is ever passed, nobody starves, and nothing is published that is not committed."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from flowd.actions.pause_dag import set_paused
from flowd.actions.task_queues import set_queue_paused
from flowd.domain.deferral import Deferral, Resume
from flowd.domain.ids import DagId
from flowd.queue.base import Claimed
from flowd.roles.scheduler import dispatcher
from tests.support.checker.check import check
from tests.support.checker.limits import most_held
from tests.support.checker.metastore_evidence import read_evidence
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LedgerSite
from tests.support.paper_queue import PaperQueue
from tests.support.specs import a_dag, a_task


async def queued(site: LedgerSite) -> Counter[str]:
    rows = await site.rows("SELECT dag_id FROM task_instance WHERE state = 'queued'")
    return Counter(dag_id for (dag_id,) in rows)


async def test_a_pool_gives_out_no_more_slots_than_it_has(site: LedgerSite) -> None:
    await site.set_pool("gpu", 5)

    run = await site.begin(a_dag(*(a_task(f"t{n}", pool="gpu", pool_slots=2) for n in range(4))))

    assert sorted((await site.states(run)).values()) == ["queued", "queued", "scheduled", "scheduled"]


async def test_a_freed_slot_goes_to_the_next_waiter(site: LedgerSite) -> None:
    await site.set_pool("gpu", 1)
    run = await site.begin(a_dag(a_task("low", pool="gpu"), a_task("high", pool="gpu", priority=2)))

    assert await site.work() == ["high", "low"]
    assert await site.run_state(run) == "success"


@pytest.mark.parametrize(("include_deferred", "follows"), [(False, True), (True, False)])
async def test_a_deferred_task_keeps_its_slot_in_a_pool_that_includes_those(
    site: LedgerSite, include_deferred: bool, follows: bool
) -> None:
    await site.set_pool("gpu", 1, include_deferred=include_deferred)
    run = await site.begin(a_dag(a_task("waits", pool="gpu", priority=2), a_task("next", pool="gpu"), a_task("free")))
    await site.defer((await site.claim())["waits"], Deferral(otherwise=Resume(method="done")), timedelta(hours=1))

    await site.dispatcher.step()

    states = await site.states(run)
    assert (states["next"] == "queued") is follows
    assert states["waits"] == "deferred" and states["free"] == "running"


async def test_nothing_is_queued_in_a_paused_queue_until_it_is_resumed_and_it_hides_nothing(site: LedgerSite) -> None:
    await set_queue_paused(site.backends, "gpu", True)
    await site.set_pool("small", 1)
    run = await site.begin(
        a_dag(*(a_task(f"t{n}", queue="gpu", pool="small", priority=2) for n in range(3)), a_task("z", pool="small"))
    )
    held = await site.states(run)
    looks = [await site.dispatcher.step() for _ in range(2)]

    await set_queue_paused(site.backends, "gpu", False)
    await site.set_pool("small", 9)
    await site.settle()

    assert held == {"t0": "scheduled", "t1": "scheduled", "t2": "scheduled", "z": "queued"}
    assert looks == [False, False]
    assert set((await site.states(run)).values()) == {"queued"}


@pytest.mark.parametrize("slots", [0, 1])
async def test_tasks_that_find_no_room_in_their_pool_hide_none_behind_them(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch, slots: int
) -> None:
    monkeypatch.setattr(dispatcher, "PER_RUN", 2)
    await site.set_pool("small", slots)
    run = await site.begin(
        a_dag(
            *(a_task(f"big{n}", pool="small", pool_slots=2, priority=9) for n in range(3)),
            *(a_task(f"lost{n}", pool="no_such_pool", priority=8) for n in range(3)),
            a_task("humble"),
        )
    )

    states = await site.states(run)

    assert states.pop("humble") == "queued"
    assert set(states.values()) == {"scheduled"}


async def test_a_pool_without_a_limit_takes_all(site: LedgerSite) -> None:
    await site.set_pool("default_pool", -1)

    await site.begin(a_dag(*(a_task(f"t{n}", pool_slots=99) for n in range(9))))

    assert await queued(site) == {"etl": 9}


async def test_max_active_tasks_holds_for_each_run(site: LedgerSite) -> None:
    spec = a_dag(*(a_task(f"t{n}") for n in range(5)), max_active_tasks=2)

    await site.begin(spec)
    await site.trigger()
    await site.settle()
    await site.claim(1)
    await site.settle()

    assert await site.rows(
        "SELECT COUNT(*) FROM task_instance WHERE state IN ('queued', 'running') GROUP BY run ORDER BY run"
    ) == [(2,), (2,)]


async def test_max_active_tis_per_dag_holds_over_all_runs_and_per_dagrun_within_one(site: LedgerSite) -> None:
    await site.put(
        a_dag(a_task("rare", max_active_tis_per_dag=2), a_task("own", max_active_tis_per_dagrun=1), a_task("free"))
    )
    for _ in range(4):
        await site.trigger()

    await site.settle()

    rows = await site.rows("SELECT task_id, COUNT(*) FROM task_instance WHERE state = 'queued' GROUP BY task_id")
    assert dict(rows) == {"rare": 2, "own": 4, "free": 4}


async def test_a_limit_that_a_new_version_brings_counts_what_older_runs_hold(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("rare")))
    await site.put(a_dag(a_task("rare", max_active_tis_per_dag=1)))
    run = await site.trigger()

    await site.settle()

    assert await site.states(run) == {"rare": "scheduled"}


async def test_a_huge_dag_does_not_starve_a_small_one(site: LedgerSite) -> None:
    await site.set_pool("default_pool", 4)
    await site.put(a_dag(*(a_task(f"t{n}", priority=99) for n in range(30)), dag_id="huge", max_active_tasks=30))
    await site.put(a_dag(a_task("t0"), a_task("t1"), dag_id="small"))
    await site.trigger("huge")
    await site.trigger("small")

    await site.settle()

    assert await queued(site) == {"huge": 2, "small": 2}


async def test_nothing_of_a_paused_dag_is_queued_and_what_runs_goes_on(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("a"), a_task("b", after=["a"])))
    claims = await site.claim()
    await set_paused(site.backends, DagId("etl"), True)
    await site.succeed(claims["a"])
    await site.settle()
    before = await site.states(run)

    await set_paused(site.backends, DagId("etl"), False)
    await site.settle()

    assert (before, await site.states(run)) == (
        {"a": "success", "b": "scheduled"},
        {"a": "success", "b": "queued"},
    )


async def test_messages_are_published_with_all_they_need_after_the_commit(open_site: OpenSite) -> None:
    broker = PaperQueue()
    site = open_site(broker=broker)
    run = await site.begin(a_dag(a_task("load", queue="gpu")), conf={"day": 1})

    ((message,),) = broker.published
    assert (message.run_id, message.task_id, message.try_number, message.queue) == (run.run_id, "load", 1, "gpu")
    assert message.run.conf == {"day": 1}
    assert await site.rows("SELECT state, dispatched_at IS NOT NULL FROM task_instance") in (
        [("queued", True)],
        [("queued", 1)],
    )


async def test_i7_dispatchers_at_once_never_pass_a_limit(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(3)]
    await sites[0].set_pool("gpu", 3)
    await sites[0].put(
        a_dag(
            *(a_task(f"g{n}", pool="gpu", pool_slots=1 + n % 2) for n in range(4)),
            *(a_task(f"t{n}", max_active_tis_per_dag=2) for n in range(4)),
            max_active_tasks=3,
        )
    )
    runs = [await sites[0].trigger() for _ in range(5)]
    await sites[0].advance()

    async def work(site: LedgerSite) -> None:
        await site.dispatcher.step()
        claims: list[Claimed] = await site.worker().claim_next(["default"], 2)
        for claimed in claims:
            await site.succeed(claimed)
        await site.advance()

    while {await sites[0].run_state(run) for run in runs} != {"success"}:
        await asyncio.gather(*map(work, sites))

    evidence = await read_evidence(sites[0].metastore)
    most = most_held(evidence)
    assert check(evidence) == []
    assert max(most[f"max_active_tasks of etl {run.run_id}"] for run in runs) == 3
    assert most["pool gpu"] == 3
    assert max(most[f"max_active_tis_per_dag of etl t{n}"] for n in range(4)) == 2
    assert len({key for (key,) in await sites[0].rows("SELECT DISTINCT instance FROM attempt")}) == 40


async def test_a_task_that_the_version_of_its_run_no_longer_has_is_removed_and_stops_nobody(site: LedgerSite) -> None:
    await site.set_pool("default_pool", 0)
    run = await site.begin(a_dag(a_task("old")))
    await site.put(a_dag(a_task("new")), a_dag(a_task("x"), dag_id="other"))
    await site.change("UPDATE dag_run SET dag_version = (SELECT version FROM dag WHERE dag_id = 'etl')")
    await site.trigger("other")
    await site.set_pool("default_pool", 9)

    await site.settle()
    await site.settle()

    assert (await queued(site), await site.states(run)) == ({"other": 1}, {"old": "removed"})


async def test_a_run_that_cannot_be_dispatched_keeps_no_other_from_it(site: LedgerSite) -> None:
    await site.set_pool("default_pool", 0)
    await site.put(a_dag(a_task("t"), dag_id="bad"), a_dag(a_task("t"), dag_id="good"))
    bad, good = await site.trigger("bad"), await site.trigger("good")
    await site.settle()
    await site.set_pool("default_pool", 9)
    await site.change("UPDATE dag_run SET conf = '[' WHERE dag_id = 'bad'")

    await site.dispatcher.step()

    assert [await site.states(run) for run in (bad, good)] == [{"t": "scheduled"}, {"t": "queued"}]


async def test_a_pass_looks_at_no_more_than_it_may_and_leaves_out_no_run_for_ever(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_WAITERS", 4)
    await site.put(a_dag(*(a_task(f"t{n}") for n in range(4))))
    runs = [await site.trigger() for _ in range(6)]
    await site.advance()
    seen: list[int] = []

    async def begun() -> int:
        states = [await site.states(run) for run in runs]
        return sum("queued" in one.values() for one in states)

    for _ in range(2):
        before = sum((await queued(site)).values())
        await site.dispatcher.step()
        seen.append(sum((await queued(site)).values()) - before)

    assert (seen, await begun()) == ([4, 4], 6)


async def test_where_a_pass_may_look_at_more_it_takes_as_much_of_each_run(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "MOST_WAITERS", 5)
    await site.put(a_dag(*(a_task(f"t{n}") for n in range(4))))
    runs = [await site.trigger() for _ in range(2)]
    await site.advance()

    await site.dispatcher.step()

    assert [list((await site.states(run)).values()).count("queued") for run in runs] == [2, 2]


async def test_a_pass_that_saw_all_that_wait_asks_for_no_other(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("a"), a_task("b")))
    await site.trigger()
    await site.advance()

    assert await site.dispatcher.step() is False
    assert len(await site.claim()) == 2


async def test_a_pass_that_left_waiters_out_is_followed_by_another(
    site: LedgerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "PER_RUN", 2)
    await site.put(a_dag(*(a_task(f"t{n}") for n in range(3))))
    await site.trigger()
    await site.advance()

    assert [await site.dispatcher.step() for _ in range(2)] == [True, False]
    assert len(await site.claim()) == 3
