"""Consumer: what it is told to stop in the middle of, what fails around it, and messages that come twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from flowd.db.assignments import assignments
from flowd.db.graphs import Graphs
from flowd.db.ledger.claims import Bid
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.assignment import Assignment
from flowd.domain.dag_run import DagRun
from flowd.domain.errors import MetastoreUnavailable
from flowd.domain.ids import ClaimToken
from flowd.domain.work import BashWork
from flowd.queue.base import Claimed, Delivery, Queue, Subscription
from flowd.queue.database import DatabaseQueue
from flowd.queue.message import SigningKeys, sign
from flowd.queue.wakeups import InProcessWakeups
from flowd.roles.worker.claimer import Claimer
from flowd.roles.worker.consumer import Consumer
from flowd.roles.worker.slots import Slots
from tests.support.ledger_site import LEASE, LedgerSite
from tests.support.paper_queue import PaperQueue
from tests.support.specs import a_dag, a_task, an_assignment

KEYS = SigningKeys.from_secrets(["a secret"])


class Broker(PaperQueue):
    """Delivers these messages at once, to whoever subscribes; what is not acknowledged comes again.

    It delivers `junk` more that nobody can read, and puts none of them aside before it has been asked to for all.
    """

    def __init__(self, messages: Sequence[Assignment], *, junk: int = 0) -> None:
        super().__init__()
        self.left = [*(b"junk %d" % number for number in range(junk)), *(sign(one, KEYS) for one in messages)]
        self.subscriptions = 0
        self.junk = junk
        self.burying = 0
        self.all_at_hand = asyncio.Event()
        self.on_subscribe: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def subscribe(self, queues: Sequence[str]) -> AsyncIterator[Subscription]:
        self.subscriptions += 1
        self.on_subscribe()
        yield _Ear(self)


class _Ear(Subscription):
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._is_done = False

    async def receive(self, free: int) -> Sequence[Delivery]:
        if self._is_done:
            await asyncio.Event().wait()
        self._is_done = True
        return [self._delivery(body) for body in self._broker.left]

    def _delivery(self, body: bytes) -> Delivery:
        async def ack() -> None:
            self._broker.left.remove(body)

        async def dead_letter(reason: str) -> None:
            self._broker.burying += 1
            if self._broker.burying == self._broker.junk:
                self._broker.all_at_hand.set()
            await self._broker.all_at_hand.wait()
            self._broker.left.remove(body)

        return Delivery(body=body, claimed=None, queue="default", ack=ack, dead_letter=dead_letter)


class HeldMetastore(Metastore):
    """Its transactions begin when `may_go` is set; it then fails those that follow while `failure` is set."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked = asyncio.Event()
        self.may_go = asyncio.Event()
        self.failure: Exception | None = None

    @asynccontextmanager
    async def transaction(self, *, is_brief: bool = False) -> AsyncIterator[Transaction]:
        self.asked.set()
        await self.may_go.wait()
        if self.failure:
            raise self.failure
        async with super().transaction(is_brief=is_brief) as tx:
            yield tx


def a_consumer(queue: Queue, claimer: Claimer, started: list[Claimed]) -> Consumer:
    return Consumer(queue, claimer, Slots(8), KEYS, ["default"], message_limit_bytes=10**6, start=started.append)


async def messages_of(site: LedgerSite, run: DagRun) -> list[Assignment]:
    async with site.metastore.reading() as tx:
        return await assignments(tx, site.graphs, [await site.instance(run, task) for task in await site.states(run)])


async def cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_claim_that_is_won_after_the_order_to_stop_is_given_back(site: LedgerSite, metastore_url: str) -> None:
    run = await site.begin(a_dag(a_task("load")))
    metastore, broker, started = HeldMetastore(metastore_url), Broker(await messages_of(site, run)), list[Claimed]()
    claimer = Claimer(metastore, site.graphs, worker="w", lease=LEASE)
    task = asyncio.ensure_future(a_consumer(broker, claimer, started).run())
    await metastore.asked.wait()

    task.cancel()
    await asyncio.sleep(0)
    metastore.may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await metastore.close()

    assert started == [] and broker.left == []
    assert await site.states(run) == {"load": "up_for_retry"}
    assert await site.causes(run, "load") == ["scheduled", "queued", "claimed", "interrupted"]


async def test_what_nobody_can_read_is_put_aside_all_at_once_and_holds_up_no_work(
    site: LedgerSite, metastore_url: str
) -> None:
    run = await site.begin(a_dag(a_task("load")))
    broker, started, has_started = Broker(await messages_of(site, run), junk=5), list[Claimed](), asyncio.Event()

    def start(claimed: Claimed) -> None:
        started.append(claimed)
        has_started.set()

    claimer = Claimer(site.metastore, site.graphs, worker="w", lease=LEASE)
    consumer = Consumer(broker, claimer, Slots(8), KEYS, ["default"], message_limit_bytes=10**6, start=start)
    task = asyncio.ensure_future(consumer.run())
    async with asyncio.timeout(120):
        await has_started.wait()
    await cancelled(task)

    assert broker.left == []
    assert [claimed.assignment.task_id for claimed in started] == ["load"]


async def test_no_bid_is_repeated_after_the_order_to_stop(site: LedgerSite, metastore_url: str) -> None:
    run = await site.begin(a_dag(a_task("load")))
    metastore, broker, started = HeldMetastore(metastore_url), Broker(await messages_of(site, run)), list[Claimed]()
    metastore.failure = MetastoreUnavailable("away")
    claimer = Claimer(metastore, site.graphs, worker="w", lease=LEASE)
    task = asyncio.ensure_future(a_consumer(broker, claimer, started).run())
    await metastore.asked.wait()
    metastore.may_go.set()

    task.cancel()
    stopped, _ = await asyncio.wait({task}, timeout=5)
    await cancelled(task)
    await metastore.close()

    assert stopped and started == [] and len(broker.left) == 1
    assert await site.states(run) == {"load": "queued"}


async def test_a_worker_that_is_made_smaller_keeps_nothing_that_was_meant_for_the_room_it_had(
    site: LedgerSite,
) -> None:
    run = await site.begin(a_dag(a_task("load")))
    broker, slots, is_anew = Broker(await messages_of(site, run)), Slots(8), asyncio.Event()
    broker.on_subscribe = lambda: is_anew.set() if slots.size == 2 else None
    consumer = Consumer(
        broker,
        Claimer(site.metastore, site.graphs, worker="w", lease=LEASE),
        slots,
        KEYS,
        ["default"],
        message_limit_bytes=10**6,
        start=lambda _: slots.resize(2),
    )
    task = asyncio.ensure_future(consumer.run())

    async with asyncio.timeout(120):
        await is_anew.wait()

    await cancelled(task)
    assert broker.subscriptions == 2


@pytest.mark.parametrize("turns", range(1, 12))
async def test_the_order_to_stop_ends_it_though_nothing_can_be_given_back(tmp_path: Path, turns: int) -> None:
    async def claim_next(queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [Claimed(assignment=an_assignment(), token=ClaimToken("a"), fence_at_ns=0)]

    async def give_up(claims: Sequence[Claimed]) -> None:
        raise MetastoreUnavailable("restarting")

    from_nowhere = DatabaseQueue(claim_next=claim_next, give_up=give_up, wakeups=InProcessWakeups())
    slots, started = Slots(1), list[Claimed]()

    def start(claimed: Claimed) -> None:
        slots.take()
        started.append(claimed)

    claimer = Claimer(Metastore(f"sqlite:///{tmp_path}/flowd.db"), Graphs(), worker="w", lease=LEASE)
    consumer = Consumer(from_nowhere, claimer, slots, KEYS, ["default"], message_limit_bytes=1, start=start)
    task = asyncio.ensure_future(consumer.run())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


class Unlucky(Claimer):
    """Whose first bid fails as nothing should."""

    has_failed = False

    async def claim(self, bids: Sequence[Bid], known: Mapping[ClaimToken, Assignment]) -> list[Claimed | None]:
        if not self.has_failed:
            self.has_failed = True
            raise LookupError("nobody expected this")
        return await super().claim(bids, known)


async def test_an_error_that_nobody_expected_costs_a_pause_and_no_message(site: LedgerSite) -> None:
    run = await site.begin(a_dag(a_task("load")))
    broker = Broker(await messages_of(site, run))
    claimer = Unlucky(site.metastore, site.graphs, worker="w", lease=LEASE)
    came = asyncio.Event()
    consumer = Consumer(
        broker, claimer, Slots(1), KEYS, ["default"], message_limit_bytes=10**6, start=lambda claimed: came.set()
    )
    task = asyncio.ensure_future(consumer.run())

    await came.wait()
    await cancelled(task)

    assert broker.subscriptions == 2 and broker.left == []
    assert await site.states(run) == {"load": "running"}


@pytest.mark.parametrize("older_first", [True, False])
async def test_of_two_messages_of_one_instance_each_speaks_for_its_own_try(site: LedgerSite, older_first: bool) -> None:
    run = await site.begin(a_dag(a_task("load", work=BashWork(script="new"))))
    (first,) = await messages_of(site, run)
    await site.worker().give_up(list((await site.claim()).values()))
    await site.wait_ender.step()
    await site.settle()
    (second,) = await messages_of(site, run)
    older = replace(first, work=BashWork(script="old"))
    broker, started, came = (
        Broker([older, second] if older_first else [second, older]),
        list[Claimed](),
        asyncio.Event(),
    )

    def start(claimed: Claimed) -> None:
        started.append(claimed)
        came.set()

    consumer = Consumer(broker, site.worker(), Slots(8), KEYS, ["default"], message_limit_bytes=10**6, start=start)
    task = asyncio.ensure_future(consumer.run())
    await came.wait()
    await cancelled(task)

    assert [(one.assignment.try_number, one.assignment.work) for one in started] == [(2, BashWork(script="new"))]
