"""A metastore with the scheduler's agents, stepped by hand, and a worker that only claims and reports."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from flowd.actions.backends import Backends
from flowd.actions.trigger_run import trigger_run
from flowd.clock import SystemClock
from flowd.db import dags, deferrals, xcoms
from flowd.db.dags import FreshDag
from flowd.db.graphs import Graphs
from flowd.db.ledger import advance, read, write
from flowd.db.ledger.write import Measured, Refused
from flowd.db.metastore import Metastore
from flowd.db.pools import Pool, Pools
from flowd.db.secrets_store import Connections, Variables
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.deferral import Deferral
from flowd.domain.ids import UNMAPPED, BundleHash, ClaimToken, DagId, InstanceKey, RunKey, TaskId
from flowd.domain.states import TriggeredBy
from flowd.domain.task_events import Cancelled, Deferred, Failed, ReportEvent, Skipped, Succeeded
from flowd.domain.task_instance import TaskInstance
from flowd.queue.base import Claimed, Queue
from flowd.queue.database import DatabaseQueue
from flowd.queue.wakeups import InProcessWakeups
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.look_ups import Library
from flowd.roles.loop import Bell
from flowd.roles.scheduler.asset_run_creator import AssetRunCreator
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.roles.scheduler.backfill_planner import BackfillPlanner
from flowd.roles.scheduler.backfill_runner import BackfillRunner
from flowd.roles.scheduler.dispatch_recorder import DispatchRecorder
from flowd.roles.scheduler.dispatcher import Dispatcher
from flowd.roles.scheduler.redeliverer import Redeliverer
from flowd.roles.scheduler.run_advancer import RunAdvancer
from flowd.roles.scheduler.run_creator import RunCreator
from flowd.roles.scheduler.wait_ender import WaitEnder
from flowd.roles.worker.claimer import Claimer
from flowd.security.vault import Vault

BUNDLE = BundleHash("c" * 64)
LEASE = timedelta(seconds=60)
POLL = timedelta(seconds=5)

_MOMENTS = {
    "task_instance": ("not_before", "held_until", "lease_until", "ring_at"),
    "dag_run": ("timeout_at", "run_after"),
    "dag": ("next_run_after",),
    "deferral": ("lease_until",),
    "asset_watch": ("lease_until",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of the history of a task instance."""

    version: int
    source: str
    target: str
    cause: str
    try_number: int
    token: str | None


@dataclass(slots=True)
class LedgerSite:
    """One node's view of a metastore. Without a broker the ledger is the queue."""

    metastore: Metastore
    broker: Queue | None = None
    catchup_limit: int = 10
    graphs: Graphs = field(default_factory=Graphs)
    scheduled: Bell = field(default_factory=Bell)
    asset_news: Bell = field(default_factory=Bell)
    queue: Queue = field(init=False)
    backends: Backends = field(init=False)
    advancer: RunAdvancer = field(init=False)
    creator: RunCreator = field(init=False)
    asset_creator: AssetRunCreator = field(init=False)
    backfill_planner: BackfillPlanner = field(init=False)
    backfill_runner: BackfillRunner = field(init=False)
    recorder: DispatchRecorder = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    redeliverer: Redeliverer = field(init=False)
    wait_ender: WaitEnder = field(init=False)

    def __post_init__(self) -> None:
        worker = self.worker()
        self.queue = self.broker or DatabaseQueue(
            claim_next=worker.claim_next, give_up=worker.give_up, wakeups=InProcessWakeups()
        )
        store, graphs = self.metastore, self.graphs
        self.backends = Backends(metastore=store, graphs=graphs, queue=self.queue, clock=SystemClock())
        ended, backfill_news = Bell(), Bell()
        self.advancer = RunAdvancer(
            store,
            graphs,
            POLL,
            scheduled=self.scheduled,
            ended=ended,
            backfill_news=backfill_news,
            callbacks_due=Bell(),
            asset_news=self.asset_news,
        )
        self.backfill_planner = BackfillPlanner(store, graphs, _no_author_code(store), POLL, planned=backfill_news)
        self.backfill_runner = BackfillRunner(store, graphs, POLL, made=self.advancer.look, news=backfill_news)
        self.creator = RunCreator(
            store, graphs, POLL, catchup_limit=self.catchup_limit, advancer=self.advancer, ended=ended
        )
        self.asset_creator = AssetRunCreator(store, graphs, POLL, advancer=self.advancer, news=self.asset_news)
        self.recorder = DispatchRecorder(store, POLL, hold=timedelta(0))
        self.dispatcher = Dispatcher(
            store, graphs, self.queue, POLL, scheduled=self.scheduled, confirmed=self.recorder.note
        )
        self.redeliverer = Redeliverer(store, graphs, self.queue, POLL)
        self.wait_ender = WaitEnder(store, POLL, scheduled=self.scheduled, news=self.advancer.ring)

    # what users and the DAG folder do

    async def put(self, *specs: DagSpec, paused: bool = False) -> None:
        """Write these DAGs as the sync of the DAG folder does."""
        async with self.metastore.transaction() as tx:
            now = await tx.now()
            fresh = [FreshDag(spec=spec) for spec in specs]
            await dags.save(tx, fresh, bundle=BUNDLE, paused_at_creation=paused, now=now)

    async def trigger(self, dag_id: str = "etl", **fields: Any) -> DagRun:
        """Ask for a run over the REST API."""
        return await trigger_run(
            self.backends, dag_id=DagId(dag_id), **({"triggered_by": TriggeredBy.REST_API} | fields)
        )

    async def set_pool(self, name: str, slots: int, *, include_deferred: bool = False) -> None:
        """Make a pool or change its size."""
        await Pools(self.metastore).set(Pool(name=name, slots=slots, include_deferred=include_deferred))

    # what the scheduler does

    async def advance(self) -> None:
        """Let the advancer go on until it finds nothing more."""
        while await self.advancer.step() is True:
            pass

    async def backfill(self) -> None:
        """Plan the dates of backfills, make their runs, and end those that are over."""
        while await self.backfill_planner.step() or await self.backfill_runner.step():
            pass

    async def settle(self) -> None:
        """Advance and dispatch until nothing moves without a worker."""
        await self.advance()
        while await self.dispatcher.step():
            await self.advance()
        await self.recorder.step()

    async def begin(self, *specs: DagSpec, **fields: Any) -> DagRun:
        """Write these DAGs, trigger the first and dispatch what is ready."""
        await self.put(*specs)
        run = await self.trigger(specs[0].dag_id, **fields)
        await self.settle()
        return run

    # what a worker does

    def worker(self, name: str = "worker1", *, lease: timedelta = LEASE) -> Claimer:
        """A worker of this name."""
        return Claimer(self.metastore, self.graphs, worker=name, lease=lease)

    async def claim(
        self, limit: int = 100, *, queues: Sequence[str] = ("default",), lease: timedelta = LEASE
    ) -> dict[str, Claimed]:
        """Claim what is queued; the answer is by task id, the last of each."""
        claims = await self.worker(lease=lease).claim_next(queues, limit)
        return {one.assignment.task_id: one for one in claims}

    async def report(
        self, key: InstanceKey, event: ReportEvent, *, measured: Measured | None = None
    ) -> TaskInstance | Refused:
        """Write how a try ended and return what became of that."""
        async with self.metastore.transaction() as tx:
            held = await read.instances(tx, [key])
            (answer,) = await write.apply(
                tx, [(held[key], event)], await tx.now(), measured={key: measured} if measured else {}
            )
        return answer

    async def succeed(self, claimed: Claimed, *, skips: Iterable[str] = ()) -> TaskInstance | Refused:
        """Report that a try ended well."""
        return await self.report(
            claimed.assignment.instance, Succeeded(claimed.token, tuple(TaskId(name) for name in skips))
        )

    async def fail(self, claimed: Claimed, *, is_retry_allowed: bool = True) -> TaskInstance | Refused:
        """Report that a try failed; the next follows at once, where there is one."""
        return await self.report(
            claimed.assignment.instance, Failed(claimed.token, timedelta(0), is_retry_allowed=is_retry_allowed)
        )

    async def skip(self, claimed: Claimed) -> TaskInstance | Refused:
        """Report that a try skipped itself."""
        return await self.report(claimed.assignment.instance, Skipped(claimed.token))

    async def defer(
        self, claimed: Claimed, deferral: Deferral, wait: timedelta | None = None
    ) -> TaskInstance | Refused:
        """Report that a try deferred itself, and store what it waits for."""
        key = claimed.assignment.instance
        async with self.metastore.transaction() as tx:
            held = await read.instances(tx, [key])
            (answer,) = await write.apply(tx, [(held[key], Deferred(claimed.token, wait))], await tx.now())
            if isinstance(answer, TaskInstance):
                one = deferrals.Deferred(instance=answer, token=claimed.token, deferral=deferral)
                await deferrals.store(tx, [one])
        return answer

    async def die_cancelled(self, claimed: Claimed) -> TaskInstance | Refused:
        """Report that a try was killed because somebody asked for it."""
        return await self.report(claimed.assignment.instance, Cancelled(claimed.token))

    async def work(
        self,
        *,
        failing: Collection[str] = (),
        skipping: Collection[str] = (),
        branches: Mapping[str, Sequence[str]] | None = None,
        returning: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Run everything that can run to its end and return the tasks in the order of their claims.

        A mapped instance is called `task[map index]`. `returning` is what the tasks named in it return.
        """
        order: list[str] = []
        while True:
            while await self.wait_ender.step() is True:
                pass
            await self.settle()
            claims = await self.worker().claim_next(["default"], 100)
            if not claims and not await self.dispatcher.step():
                return order
            for one in claims:
                task_id = _name(one.assignment.task_id, one.assignment.map_index)
                order.append(task_id)
                if task_id in failing:
                    await self.fail(one)
                elif task_id in skipping:
                    await self.skip(one)
                else:
                    await self.leave(one, (returning or {}).get(task_id))
                    await self.succeed(one, skips=(branches or {}).get(task_id, ()))

    async def leave(self, claimed: Claimed, value: Any) -> None:
        """Store what a task returns; None is nothing."""
        if value is not None:
            async with self.metastore.transaction() as tx:
                await xcoms.push(tx, [(claimed.assignment.instance, "return_value", value)], await tx.now())

    async def pass_time(self, length: timedelta) -> None:
        """Let everything that waits for a moment be this much nearer to it: the metastore's clock itself stands."""
        async with self.metastore.transaction() as tx:
            for table, columns in _MOMENTS.items():
                nearer = ", ".join(f"{name} = {name} - :length" for name in columns)
                await tx.execute(f"UPDATE {table} SET {nearer}", {"length": length // timedelta(microseconds=1)})

    async def change(self, statement: str) -> None:
        """Change the metastore behind everybody's back."""
        async with self.metastore.transaction() as tx:
            await tx.execute(statement)

    # what there is to see

    async def rows(self, statement: str, **parameters: Any) -> list[Any]:
        """Return the rows of a query."""
        async with self.metastore.reading() as tx:
            return [tuple(row) for row in await tx.execute(statement, parameters)]

    async def places(self, run: DagRun) -> list[tuple[TaskId, int]]:
        """The task instances of a run, by task and map index."""
        async with self.metastore.reading() as tx:
            return list(await advance.states_of(tx, run.key))

    async def states(self, run: DagRun) -> dict[str, str]:
        """The state of each task of a run; a mapped instance is called `task[map index]`."""
        async with self.metastore.reading() as tx:
            states = await advance.states_of(tx, run.key)
        return {_name(*place): state.value for place, state in states.items()}

    async def run_state(self, run: DagRun) -> str:
        """The state of a run."""
        return (await self.run(run.key)).state.value

    async def run(self, key: RunKey) -> DagRun:
        """The run as it is now."""
        async with self.metastore.reading() as tx:
            return await read.run(tx, key)

    async def instance(self, run: DagRun, task_id: str, map_index: int = UNMAPPED) -> TaskInstance:
        """One task instance as it is now."""
        async with self.metastore.reading() as tx:
            rows = await advance.standings(tx, [(run.key, TaskId(task_id), map_index)], lock=False)
        return rows[run.key, TaskId(task_id), map_index].instance

    async def history(self, run: DagRun, task_id: str) -> list[Transition]:
        """The history of one task instance, first to last."""
        key = (await self.instance(run, task_id)).key
        found = await self.rows(
            "SELECT version, from_state, to_state, cause, try_number, token FROM task_transition"
            " WHERE instance = :key ORDER BY version",
            key=key,
        )
        return [
            Transition(version=version, source=source, target=target, cause=cause, try_number=number, token=token)
            for version, source, target, cause, number, token in found
        ]

    async def causes(self, run: DagRun, task_id: str) -> list[str]:
        """What has happened to a task instance, first to last."""
        return [one.cause for one in await self.history(run, task_id)]


def _no_author_code(metastore: Metastore) -> AuthorCode:
    """What a site has for timetables of authors' own, whose files it has not."""
    vault = Vault([Fernet.generate_key().decode()])
    library = Library(
        metastore=metastore, variables=Variables(metastore, vault), connections=Connections(metastore, vault)
    )
    nowhere = Path("no-author-code-here")
    return AuthorCode(library=library, bundles=BundleCache(metastore, nowhere), environ={}, logs=nowhere)


def token_of(number: int) -> ClaimToken:
    """A token that is as good as any."""
    return ClaimToken(f"{number:032x}")


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index == UNMAPPED else f"{task_id}[{map_index}]"
