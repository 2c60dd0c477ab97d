"""Negative controls: where flowd is broken on purpose the checker turns red, and elsewhere it does not.

Each story makes one fault happen at the moment at which the rule that was taken out would have mattered. It waits for
events alone: what is lost is known to be lost, however long the machine takes.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.broken_messages import Interceptor
from tests.faults.harness.cluster import Cluster, Servers
from tests.faults.harness.load import Load
from tests.faults.harness.member import Member
from tests.faults.node import ENDLESS_PATIENCE, SABOTAGE
from tests.support.checker.check import check
from tests.support.checker.evidence import JournalLine, Word
from tests.support.checker.journal import parse_journal, read_text
from tests.support.checker.metastore_evidence import evidence_of
from tests.support.checker.violation import Invariant, Violation
from tests.support.node_process import eventually
from tests.support.sabotage import Sabotage

pytestmark = pytest.mark.timeout(1200)

TICKS = 15
"""So many ticks, over several looks of the Rescuer, are to pass while a worker stands still."""


class Story:
    """A cluster of its own, one run, and what is to be seen of both."""

    def __init__(self, cluster: Cluster, sabotage: Sabotage | None) -> None:
        self.cluster = cluster
        self.is_sabotaged = sabotage is not None
        self._environ = {
            ENDLESS_PATIENCE: "yes",
            # Nobody is to be fenced, or to be found silent, because this machine is slow.
            "FLOWD__WORKER__LEASE": "120s",
        }
        self._sabotage = {SABOTAGE: sabotage.value} if sabotage else {}

    def add(self, name: str, roles: str, *, is_whole: bool = False) -> Member:
        """Start a node, broken as the story has it unless it `is_whole`, and return when it is ready."""
        member = self.launch(name, roles, is_whole=is_whole)
        member.process.await_ready()
        return member

    def launch(self, name: str, roles: str, *orders: Order, is_whole: bool = False) -> Member:
        """Begin to start such a node, with `orders` for the first doors that it reaches."""
        member = self.cluster.add(name, roles, self._environ | ({} if is_whole else self._sabotage))
        member.order(*orders)
        return member

    def trigger(self, dag_id: str) -> None:
        """Trigger a run."""
        load = Load(
            urls=self.cluster.urls,
            token=self.cluster.token,
            wanted=[("control", dag_id)],
            journal=self.cluster.requests,
            clients=1,
        )
        load.start()
        load.join(60)

    @property
    def messages(self) -> Interceptor:
        """The queue of the tasks, with this story's hands in it."""
        return Interceptor(self.cluster.servers.wires, self.cluster.servers.rabbitmq.url, self.cluster.task_queue)

    def await_emptied(self, worker: Member) -> None:
        """Return when the worker has done with every message that lies in the queue now.

        Junk put behind them is refused after them; the second time what came with the first has been claimed as well.
        """
        before = self.count_refused(worker)
        for count in (before + 1, before + 2):
            self.messages.put([b"junk"])
            eventually(partial(self.has_refused, worker, count), "the junk to be refused", 60)

    def has_refused(self, worker: Member, count: int) -> bool:
        """Return whether the worker has refused so many messages."""
        return self.count_refused(worker) >= count

    def count_refused(self, worker: Member) -> int:
        """Return how many messages the worker has refused."""
        return worker.process.log.count("message refused")

    def await_state(self, state: str, try_number: int) -> None:
        """Return when the one task is so."""
        eventually(lambda: self.is_in(state, try_number), f"the task to be {state}, try {try_number}", 60)

    def is_in(self, state: str, try_number: int) -> bool:
        """Return whether the one task is so; where it is queued, the broker has confirmed its message."""
        rows = self.cluster.ledger.rows("SELECT state, try_number, dispatched_at FROM task_instance")
        return [(found, number) for found, number, at in rows if found != "queued" or at] == [(state, try_number)]

    def await_end(self) -> None:
        """Return when the run has ended."""
        eventually(lambda: self.cluster.ledger.count_live_runs() == 0, "the run to end", 60)

    def lines(self, word: Word, try_number: int) -> list[JournalLine]:
        """Return what the process of a try has written."""
        written = parse_journal(read_text(self.cluster.journal))
        return [line for line in written if (line.word, line.try_number) == (word, try_number)]

    def verdict(self) -> list[Violation]:
        """Return what the checker says."""
        cluster = self.cluster
        read = evidence_of(cluster.ledger.url, journal=cluster.journal, requests=cluster.requests)
        return check(cluster.servers.wires.call(read))


def a_worker_dies_as_it_claims(story: Story) -> None:
    """The message must come back: nobody has claimed its try."""
    story.add("master", "api,scheduler")
    worker = story.add("worker", "worker")
    story.cluster.prepare()
    worker.order(Order(door="claimer.claim.commit", action=Action.KILL, moment=Moment.BEFORE))
    story.trigger("control_one")
    eventually(lambda: not worker.process.is_running, "the worker to die", 60)
    worker.heal()
    worker.process.start()
    story.await_emptied(worker)
    if story.is_sabotaged:
        assert story.is_in("queued", 1)
    else:
        story.await_end()


def a_scheduler_freezes_behind_its_publish(story: Story) -> None:
    """The message is there, and a worker takes it: so its try must be there as well."""
    story.add("api", "api")
    scheduler = story.add("scheduler", "scheduler")
    worker = story.add("worker", "worker")
    story.cluster.prepare()
    doors = ("dispatcher.publish.publish", "sabotage.publish_and_write.publish")
    scheduler.order(*(Order(door=door, action=Action.STOP, moment=Moment.AFTER) for door in doors))
    eventually(lambda: story.cluster.ledger.rows("SELECT 1 FROM dag WHERE dag_id = 'control_one'"), "the DAG")
    story.trigger("control_one")
    eventually(lambda: scheduler.book.obeyed, "the scheduler to stop", 60)
    story.await_emptied(worker)
    scheduler.heal()
    if story.is_sabotaged:
        story.await_state("queued", 1)
        story.await_emptied(worker)
        assert story.is_in("queued", 1)
    else:
        story.await_end()


def a_message_of_the_first_try_comes_when_the_second_is_queued(story: Story) -> None:
    """It speaks for a try that is over."""
    story.add("master", "api,scheduler")
    worker = story.add("worker", "worker")
    story.cluster.prepare()
    assert worker.process.stop() == 0
    story.trigger("control_flaky")
    (first, *_) = story.messages.take(1)
    worker.order(Order(door="reporter.write_once.commit", action=Action.KILL, moment=Moment.AFTER))
    worker.process.start()
    story.messages.put([first])
    eventually(lambda: not worker.process.is_running, "the worker to die after its report", 60)
    story.await_state("queued", 2)
    (second, *_) = story.messages.take(1)
    story.messages.put([first])
    story.messages.put([second])
    worker.heal()
    worker.process.start()
    story.await_end()


def a_worker_stands_still_for_less_than_its_lease(story: Story) -> None:
    """Its task lives on, and nobody else may begin it."""
    # A broken Rescuer would take the lease from a worker that is merely slow: it is there once the worker stands still.
    story.add("master1", "api,scheduler", is_whole=True)
    worker = story.add("worker1", "worker")
    story.cluster.prepare()
    story.trigger("control_waiting")
    eventually(lambda: story.lines(Word.TICK, 1), "the task to tick", 60)
    worker.pause()
    story.add("worker2", "worker")
    # It breaks the rule once: it would take each next try as well, on a slow machine before that has begun.
    once = Order(door="rescuer.give_up.commit", action=Action.KILL, moment=Moment.AFTER)
    breaker = story.launch("master2", "scheduler", once)
    if story.is_sabotaged:
        eventually(lambda: story.lines(Word.BEGIN, 2), "the second try to begin", 60)
    else:
        breaker.process.await_ready()
    before = len(story.lines(Word.TICK, 1))
    eventually(lambda: len(story.lines(Word.TICK, 1)) >= before + TICKS, "the first try to tick on", 60)
    worker.heal()
    Path(f"{story.cluster.journal}.go").touch()
    story.await_end()


CONTROLS: dict[Sabotage, tuple[Callable[[Story], None], Invariant]] = {
    Sabotage.ACK_BEFORE_CLAIM: (a_worker_dies_as_it_claims, Invariant.I9),
    Sabotage.PUBLISH_INSIDE_THE_TRANSACTION: (a_scheduler_freezes_behind_its_publish, Invariant.I9),
    Sabotage.BREAK_THE_TRY_CHECK: (a_message_of_the_first_try_comes_when_the_second_is_queued, Invariant.I11),
    Sabotage.UNGUARD_THE_RESCUER: (a_worker_stands_still_for_less_than_its_lease, Invariant.I10),
}


@contextmanager
def a_story(servers: Servers, folder: Path, sabotage: Sabotage | None) -> Iterator[Story]:
    name = f"control_{secrets.token_hex(4)}"
    (folder / name).mkdir()
    with Cluster(servers, folder / name, name=name) as cluster:
        yield Story(cluster, sabotage)


@pytest.mark.parametrize("sabotage", CONTROLS)
def test_the_checker_turns_red_where_a_rule_is_broken(servers: Servers, fault_folder: Path, sabotage: Sabotage) -> None:
    tell, invariant = CONTROLS[sabotage]

    with a_story(servers, fault_folder, sabotage) as story:
        tell(story)
        violations = story.verdict()

    assert invariant in {violation.invariant for violation in violations}, violations


@pytest.mark.soak
@pytest.mark.parametrize("tell", [tell for tell, _ in CONTROLS.values()])
def test_the_same_story_is_green_where_nothing_is_broken(
    servers: Servers, fault_folder: Path, tell: Callable[[Story], None]
) -> None:
    with a_story(servers, fault_folder, None) as story:
        tell(story)

        assert story.verdict() == []
