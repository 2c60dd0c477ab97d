"""Cluster: a whole flowd in virtual time, to which anything may happen. One seed is one story."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from flowd.actions.backends import Backends
from flowd.actions.clear_tasks import clear_run
from flowd.actions.mark import mark_run
from flowd.actions.trigger_run import trigger_run
from flowd.db import dags
from flowd.db.dags import FreshDag
from flowd.db.pools import Pool, Pools
from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import Conflict, Unavailable
from flowd.domain.ids import BundleHash, DagId, RunId
from flowd.domain.states import RunState, TriggeredBy
from tests.simulation.broker import Broker
from tests.simulation.database import DatabaseServer
from tests.simulation.machine import Machine, Tasks
from tests.simulation.nodes import Site, WorkerNode, schedule
from tests.simulation.substitutes import VirtualClock, substituted
from tests.simulation.virtual_loop import Fate, Process, VirtualLoop
from tests.support.checker.check import check
from tests.support.checker.evidence import Evidence, Outcome, Request
from tests.support.checker.metastore_evidence import read_evidence
from tests.support.checker.violation import Violation
from tests.support.random_dags import POOLS

Answer = TypeVar("Answer")

BUNDLE = BundleHash("c" * 64)
CONCURRENCY = 2
LOOK_SECONDS = 10.0
RECOVERY_SECONDS = 1800.0
"""How long a cluster may take to end its runs once all faults are over: a lost message is rung again after a minute,
then after twice as long, and so on; a bad day may have doubled that a few times."""


class Cluster:
    """Schedulers, workers on machines of their own, a client, a broker and a metastore.

    Every method but `run_for` and `finish` happens at once, in no time.
    """

    def __init__(
        self, seed: int, site: Path, url: str, specs: Sequence[DagSpec], *, schedulers: int, workers: int
    ) -> None:
        self.chance = Random(seed)
        self.loop = VirtualLoop()
        self.errors: list[str] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(f"{context}"))
        self.database = DatabaseServer(self.loop, self.chance)
        self.broker = Broker(self.loop, self.chance)
        self.tasks = Tasks(self.loop, self.chance)
        self.requests: list[Request] = []
        self.clock = VirtualClock(self.loop)
        self.machines = [Machine(f"worker{number}", self.tasks) for number in range(workers)]
        self._site = Site(url=url, folder=site, broker=self.broker, clock=self.clock)
        self._machine_of: dict[Process, Machine] = {}
        self._workers: dict[Process, WorkerNode] = {}
        self._gone: list[Process] = []
        self._specs = specs
        self._keys = 0
        self._is_over = False
        self.client = Process("client")
        self.schedulers = [Process(f"scheduler{number}") for number in range(schedulers)]
        self.workers = [Process(machine.name) for machine in self.machines]

    @property
    def nodes(self) -> list[Process]:
        """Every process of flowd that is not dead."""
        return [*self.schedulers, *self.workers]

    @contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Start everything; at the end nothing is left."""
        with substituted(self.clock, self.chance, self.database, self._machine_of, self.errors):
            try:
                self.client_does(self._set_up)
                for process in self.schedulers:
                    self._begin(process, schedule(self._site))
                for process, machine in zip(self.workers, self.machines, strict=True):
                    self._begin_worker(process, machine)
                yield self
            finally:
                self._end()

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.run_for(seconds)

    # what clients and users do

    def trigger(self) -> None:
        """A client asks for a run, again and again under the same key until it is answered."""
        self._keys += 1
        self._client_begins(self._trigger(f"key{self._keys}", DagId(self.chance.choice(self._specs).dag_id)))

    def clear(self, *, only_failed: bool) -> None:
        """A user clears a run."""
        run = self._known_run()
        if run is not None:
            self._client_begins(self._try(lambda to: clear_run(to, *run, only_failed=only_failed)))

    def mark(self, state: RunState) -> None:
        """A user says how a run ended."""
        run = self._known_run()
        if run is not None:
            self._client_begins(self._try(lambda to: mark_run(to, *run, state)))

    def await_row(self, query: str) -> Any:
        """Let time pass until the ledger answers a query with a row, and return its first column."""

        async def ask(backends: Backends) -> Any:
            async with backends.metastore.reading() as tx:
                return (await tx.execute(query)).scalar()

        until = self.loop.now + RECOVERY_SECONDS
        while (found := self.client_does(ask)) is None and self.loop.now < until:
            self.run_for(1.0)
        assert found is not None, f"nothing found in time: {query}"
        return found

    # what happens to nodes

    def kill(self, process: Process) -> None:
        """SIGKILL; another process takes its place, which may be asked for with `restart`."""
        process.fate = Fate.DEAD
        self._gone.append(process)
        self.database.disconnect(process)
        self.broker.disconnect(process)
        if process in self._machine_of:
            self._machine_of[process].node_died(process)

    def restart(self, process: Process) -> None:
        """Start what was killed again, on the same machine."""
        if process.fate is not Fate.DEAD:
            return
        fresh = Process(process.name)
        if process in self.schedulers:
            self.schedulers[self.schedulers.index(process)] = fresh
            self._begin(fresh, schedule(self._site))
        else:
            self.workers[self.workers.index(process)] = fresh
            self._begin_worker(fresh, self._machine_of[process])

    def freeze(self, process: Process) -> None:
        """SIGSTOP the node; its keeper and its tasks go on."""
        if process.fate is Fate.RUNNING:
            process.fate = Fate.FROZEN

    def thaw(self, process: Process) -> None:
        """SIGCONT."""
        if process.fate is Fate.FROZEN:
            self.loop.thaw(process)

    def drain(self, process: Process) -> None:
        """SIGTERM a worker."""
        if process in self._workers and process.fate is Fate.RUNNING:
            self.loop.call_soon(self._workers[process].drain, context=process.context)

    # what happens to the network

    def cut_from_database(self, process: Process) -> None:
        """The node cannot reach the metastore."""
        self.database.away.add(process)

    def cut_from_broker(self, process: Process) -> None:
        """The node cannot reach the broker, which gives what it held to others."""
        self.broker.away.add(process)
        self.broker.disconnect(process)

    def heal(self) -> None:
        """End every fault, and start again what was killed."""
        self.database.away.clear()
        self.database.is_down = False
        self.database.lost_answers = 0.0
        self.broker.away.clear()
        self.broker.weather = replace(
            self.broker.weather, lost=0.0, repeated=0.0, late=0.0, unconfirmed=0.0, altered=0.0
        )
        for process in self.nodes:
            self.thaw(process)
            self.restart(process)
        self.broker.reconnect()

    # how it ends

    def finish(self) -> list[Violation]:
        """Heal everything, wait until every run has ended or the time for it is up, and return what is violated."""
        self.heal()
        until = self.loop.now + RECOVERY_SECONDS
        while not (self._is_settled() or self.loop.now > until):
            self.run_for(LOOK_SECONDS)
        return check(self.evidence())

    def evidence(self) -> Evidence:
        """Return what there is now."""
        read = self.client_does(lambda backends: read_evidence(backends.metastore))
        return replace(read, journal=list(self.tasks.journal), requests=list(self.requests))

    def _is_settled(self) -> bool:
        return not self.client_is_busy and self.client_does(_is_everything_over)

    @property
    def client_is_busy(self) -> bool:
        """True while a request has not been answered."""
        return any(not task.done() for task in self.client.tasks)

    def _begin(self, process: Process, work: Coroutine[Any, Any, Any]) -> None:
        task = self.loop.spawn(process, work)
        task.add_done_callback(lambda task: self._left(process, task), context=process.context)

    def _begin_worker(self, process: Process, machine: Machine) -> None:
        node = WorkerNode(self._site, machine, concurrency=CONCURRENCY)
        self._machine_of[process] = machine
        self._workers[process] = node
        self._begin(process, node.run())

    def _left(self, process: Process, task: "asyncio.Task[Any]") -> None:
        """A node has ended by itself: a worker that was drained is started again."""
        if self._is_over:
            return
        if not task.cancelled() and task.exception() is not None:
            self.errors.append(f"{process.name} ended: {task.exception()!r}")
        process.fate = Fate.DEAD
        self._gone.append(process)
        self.broker.disconnect(process)
        self.restart(process)

    def _client_begins(self, work: Coroutine[Any, Any, Any]) -> None:
        self.loop.spawn(self.client, work)

    def client_does(self, act: Callable[[Backends], Awaitable[Answer]]) -> Answer:
        """Return what an action answers, however long that takes; nothing cuts this client off."""
        task = self.loop.spawn(self.client, self._with_backends(act))
        while not task.done():
            self.run_for(0.1)
        answer: Answer = task.result()
        return answer

    async def _with_backends(self, act: Callable[[Backends], Awaitable[Answer]]) -> Answer:
        async with AsyncExitStack() as stack:
            return await act(await self._site.backends(stack))

    async def _try(self, act: Callable[[Backends], Awaitable[Any]]) -> None:
        try:
            await self._with_backends(act)
        except Unavailable:
            pass  # a user who is told to try later may well not

    async def _set_up(self, backends: Backends) -> None:
        for name, slots in POOLS.items():
            await Pools(backends.metastore).set(Pool(name=name, slots=slots))
        async with backends.metastore.transaction() as tx:
            fresh = [FreshDag(spec=spec) for spec in self._specs]
            await dags.save(tx, fresh, bundle=BUNDLE, paused_at_creation=False, now=await tx.now())

    async def _trigger(self, key: str, dag_id: DagId) -> None:
        async def ask(backends: Backends) -> None:
            run = await trigger_run(backends, dag_id=dag_id, triggered_by=TriggeredBy.REST_API, idempotency_key=key)
            self._note(Outcome.OK, key, dag_id, run.run_id)

        for _ in range(4):
            try:
                await self._with_backends(ask)
            except Conflict:
                self._note(Outcome.FAIL, key, dag_id, None)
            except Unavailable:
                self._note(Outcome.UNKNOWN, key, dag_id, None)
                await asyncio.sleep(1 + 10 * self.chance.random())
            else:
                return

    def _note(self, outcome: Outcome, key: str, dag_id: str, run_id: str | None) -> None:
        self.requests.append(
            Request(
                number=len(self.requests) + 1,
                outcome=outcome,
                at_ns=int(self.loop.now * 1e9),
                idempotency_key=key,
                dag_id=dag_id,
                run_id=run_id,
            )
        )

    def _known_run(self) -> tuple[DagId, RunId] | None:
        known = [(DagId(one.dag_id), RunId(one.run_id)) for one in self.requests if one.run_id is not None]
        return self.chance.choice(known) if known else None

    def _end(self) -> None:
        """Let every task there ever was be cancelled, so that none is collected half done; nothing they do counts."""
        self._is_over = True
        self.database.is_down = True
        for process in [*self._gone, *self.nodes]:
            self.loop.thaw(process)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        while tasks := asyncio.all_tasks(self.loop):
            self.run_for(1.0)
            for task in tasks:
                task.cancel()
        self.loop.close()


async def _is_everything_over(backends: Backends) -> bool:
    async with backends.metastore.reading() as tx:
        left = await tx.execute("SELECT 1 FROM dag_run WHERE state NOT IN ('success', 'failed') OR unfinished <> 0")
        return left.first() is None
