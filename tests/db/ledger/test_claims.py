"""Claims: of any number of workers one gets a try, whatever the queue or the network repeats."""

import asyncio
from datetime import timedelta

import pytest

from flowd.db.ledger import claims
from flowd.db.ledger.claims import Bid
from flowd.domain.errors import MetastoreUnavailable
from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.queue.base import Claimed
from flowd.roles.worker.claimer import Claimer
from tests.support.ledger_fixtures import OpenSite
from tests.support.ledger_site import LEASE, LedgerSite, token_of
from tests.support.specs import a_dag, a_task
from tests.support.unanswered_metastore import UnansweredMetastore


async def bid(
    site: LedgerSite, key: InstanceKey, token: ClaimToken, *, try_number: int = 1, worker: str = "worker1"
) -> Claimed | None:
    wish = Bid(instance=key, try_number=try_number, leg=0, token=token)
    (answer,) = await site.worker(worker).claim([wish], {})
    return answer


async def test_a_bid_wins_the_queued_try_with_all_that_is_to_be_known_of_it(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load"), params={"day": {"value": 1}, "n": {"value": 2}}), conf={"n": 3})
    instance = await site.instance(run, "load")

    claimed = await bid(site, instance.key, token_of(1))

    assert claimed is not None and claimed.token == token_of(1)
    assert (claimed.assignment.run_id, claimed.assignment.try_number) == (run.run_id, 1)
    assert claimed.assignment.run.params == {"day": 1, "n": 3}
    held = await site.instance(run, "load")
    assert (held.state, held.token, held.worker) == ("running", token_of(1), "worker1")


async def test_a_bid_for_what_is_not_there_is_lost(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    key = (await site.instance(run, "load")).key

    assert await bid(site, InstanceKey(4711), token_of(1)) is None
    assert await bid(site, key, token_of(1), try_number=2) is None
    assert await bid(site, key, token_of(1)) is not None
    assert await bid(site, key, token_of(2)) is None


async def test_a_bid_whose_answer_was_lost_is_made_again_and_wins_the_same(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    key = (await site.instance(run, "load")).key

    first = await bid(site, key, token_of(1))
    again = await bid(site, key, token_of(1))

    assert first is not None and again is not None and again.assignment == first.assignment
    assert await site.causes(run, "load") == ["scheduled", "queued", "claimed"]


async def test_a_message_delivered_twice_to_one_worker_wins_once(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load"), a_task("send")))
    load, send = (await site.instance(run, "load")).key, (await site.instance(run, "send")).key
    bids = [
        Bid(instance=key, try_number=1, leg=0, token=token_of(number)) for number, key in enumerate([load, load, send])
    ]

    won = await site.worker().claim(bids, {})

    assert [one is not None for one in won] == [True, False, True]


async def test_i2_i3_of_workers_that_race_for_a_try_exactly_one_wins(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(4)]
    run = await sites[0].begin(a_dag(*(a_task(f"t{number}") for number in range(8))))
    keys = [(await sites[0].instance(run, f"t{number}")).key for number in range(8)]

    async def bid_for_all(number: int) -> list[Claimed | None]:
        bids = [
            Bid(instance=key, try_number=1, leg=0, token=token_of(100 * number + key))
            for key in (keys if number % 2 else reversed(keys))
        ]
        return list(await sites[number].worker(f"worker{number}").claim(bids, {}))

    won = [one for answers in await asyncio.gather(*map(bid_for_all, range(4))) for one in answers if one]

    assert sorted(one.assignment.instance for one in won) == sorted(keys)
    for number in range(8):
        assert (await sites[0].causes(run, f"t{number}")).count("claimed") == 1


async def test_workers_that_claim_straight_from_the_ledger_never_get_the_same(open_server_site: OpenSite) -> None:
    sites = [open_server_site() for _ in range(3)]
    await sites[0].begin(a_dag(*(a_task(f"t{number}") for number in range(12)), max_active_tasks=12))

    answers = await asyncio.gather(*(site.worker().claim_next(["default"], 5) for site in sites))
    rest = await sites[0].worker().claim_next(["default"], 12)

    keys = [one.assignment.instance for claimed in [*answers, rest] for one in claimed]
    assert len(keys) == len(set(keys)) == 12


async def test_claims_by_queue_take_the_highest_priority_first_and_no_other_queue(site: LedgerSite) -> None:
    await site.begin(
        a_dag(
            a_task("low", priority=1),
            a_task("high", priority=9),
            a_task("other", queue="gpu", priority=99),
            a_task("middle", priority=5),
        )
    )

    first = await site.worker().claim_next(["default"], 2)
    rest = await site.worker().claim_next(["default", "empty"], 9)
    gpu = await site.worker().claim_next(["gpu"], 9)

    assert [[one.assignment.task_id for one in claimed] for claimed in (first, rest, gpu)] == [
        ["high", "middle"],
        ["low"],
        ["other"],
    ]
    assert await site.worker().claim_next(["default", "gpu"], 9) == []


async def test_a_look_says_whether_there_is_anything_to_claim(site: LedgerSite) -> None:
    await site.begin(a_dag(a_task("load")))

    async with site.metastore.reading() as tx:
        found = [await claims.is_anything_queued(tx, queues) for queues in (["default"], ["gpu"], [])]

    assert found == [True, False, False]


async def test_a_claim_that_is_given_up_is_tried_again_and_uses_no_retry(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    worker = site.worker()

    await worker.give_up(await worker.claim_next(["default"], 1))
    await site.wait_ender.step()
    await site.work()

    assert await site.run_state(run) == "success"
    assert [one.target for one in await site.history(run, "load")][3:5] == ["up_for_retry", "scheduled"]


async def test_what_an_earlier_try_pushed_is_gone_when_the_next_begins(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    claimed = (await site.claim())["load"]
    async with site.metastore.transaction() as tx:
        await tx.execute(
            "INSERT INTO xcom (instance, name, value, at) VALUES (:key, 'n', '1', 0)",
            {"key": claimed.assignment.instance},
        )

    await site.worker().give_up([claimed])
    await site.wait_ender.step()
    await site.settle()
    again = await site.claim(lease=LEASE + timedelta(seconds=1))

    assert again["load"].assignment.try_number == 2
    assert await site.rows("SELECT * FROM xcom") == []
    assert await site.run_state(run) == "running"


async def test_a_bid_that_wins_again_has_a_lease_as_long_as_its_fence_says(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    key = (await site.instance(run, "load")).key
    await bid(site, key, token_of(1))
    await site.pass_time(LEASE / 2)
    before = (await site.instance(run, "load")).lease_until

    assert await bid(site, key, token_of(1)) is not None

    after = (await site.instance(run, "load")).lease_until
    assert before is not None and after is not None and after - before >= LEASE / 2


async def test_what_was_claimed_without_an_answer_is_claimed_again_and_no_more_than_asked_for(
    site: LedgerSite, metastore_url: str
) -> None:
    run = await site.begin(a_dag(*(a_task(f"t{n}") for n in range(5))))
    metastore = UnansweredMetastore(metastore_url)
    claimer = Claimer(metastore, site.graphs, worker="worker1", lease=LEASE)
    metastore.commits_to_lose = 1
    with pytest.raises(MetastoreUnavailable):
        await claimer.claim_next(["default"], 2)
    lost = [one.token for one in [await site.instance(run, f"t{n}") for n in range(5)] if one.token]
    await site.pass_time(LEASE / 2)

    found = await claimer.claim_next(["default"], 3)
    rest = await claimer.claim_next(["default"], 3)
    await metastore.close()

    assert len(lost) == 2 and set(lost) < {one.token for one in found}
    assert (len(found), len(rest)) == (3, 2)
    assert len({one.assignment.task_id for one in [*found, *rest]}) == 5
    for one in found:
        held = await site.instance(run, one.assignment.task_id)
        assert held.token == one.token and held.lease_until is not None
        assert held.lease_until - (held.started_at or held.lease_until) >= LEASE / 2
