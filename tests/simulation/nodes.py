"""The nodes: flowd's own roles, given a simulated machine, broker and way to the metastore."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flowd.actions.backends import Backends
from flowd.clock import Clock
from flowd.db.graphs import Graphs
from flowd.db.metastore import Metastore
from flowd.db.secrets_store import Connections, Variables
from flowd.queue.message import DEFAULT_LIMIT_BYTES, SigningKeys
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.look_ups import Library
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.roles.scheduler.dag_sync import DagSync
from flowd.roles.scheduler.scheduler import Scheduler, SchedulerPlan
from flowd.roles.worker.attempt import Workbench
from flowd.roles.worker.claimer import Claimer
from flowd.roles.worker.reporter import Reporter
from flowd.roles.worker.spool import SPOOL, Spool
from flowd.roles.worker.worker import Worker, WorkerPlan
from flowd.roles.worker.worker_home import Estate, WorkerHome
from flowd.security.vault import Vault
from tests.simulation.broker import Broker, SimulatedQueue
from tests.simulation.machine import Machine

LEASE = timedelta(seconds=20)
HEARTBEAT = timedelta(seconds=5)
POLL = timedelta(seconds=5)
KEYS = SigningKeys.from_secrets(["the simulation's secret"])
VAULT = Vault(["c2ltdWxhdGlvbi1mZXJuZXQta2V5LTAxMjM0NTY3ODk="])


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every node is given."""

    url: str
    folder: Path
    broker: Broker
    clock: Clock

    async def backends(self, stack: AsyncExitStack) -> Backends:
        """Open a node's own way to the metastore and to the broker."""
        metastore = await self.metastore(stack)
        return Backends(metastore=metastore, graphs=Graphs(), queue=SimulatedQueue(self.broker, KEYS), clock=self.clock)

    async def metastore(self, stack: AsyncExitStack) -> Metastore:
        """Open connections of one's own."""
        metastore = Metastore(self.url)
        stack.push_async_callback(metastore.close)
        return metastore


class _NoFolder(DagSync):
    """The DAGs are in the metastore already, and nobody changes them."""

    def __init__(self) -> None:
        self.first_pass = asyncio.Event()

    async def run(self) -> None:
        await asyncio.Event().wait()


async def schedule(site: Site) -> None:
    """Be a node with the scheduler role."""
    async with AsyncExitStack() as stack:
        backends = await site.backends(stack)
        plan = SchedulerPlan(
            max_map_length=1024,
            poll_interval=POLL,
            rescue_interval=POLL,
            lease=LEASE,
            heartbeat=HEARTBEAT,
            catchup_limit=1,
            retention=None,
        )
        bundles = BundleCache(backends.metastore, site.folder / "bundles")
        code = AuthorCode(library=_library(backends.metastore), bundles=bundles, environ={}, logs=site.folder)
        await Scheduler(plan, backends, lambda changed: _NoFolder(), code).run()


class WorkerNode:
    """A node with the worker role on a machine. `drain` is SIGTERM."""

    def __init__(self, site: Site, machine: Machine, *, concurrency: int) -> None:
        self._site = site
        self._machine = machine
        self._concurrency = concurrency
        self._worker: Worker | None = None

    def drain(self) -> None:
        """Let it end as soon as what it runs has ended; one that has not begun yet takes no notice."""
        if self._worker is not None:
            self._worker.drain()

    async def run(self) -> None:
        """Work until drained."""
        home = self._home()
        spool = Spool(home.folder / SPOOL)
        async with AsyncExitStack() as stack:
            stack.callback(spool.close)
            backends = await self._site.backends(stack)
            self._worker = Worker(
                WorkerPlan(
                    queues=["default"],
                    concurrency=self._concurrency,
                    heartbeat=HEARTBEAT,
                    lease=LEASE,
                    drain_timeout=timedelta(seconds=10),
                    message_limit_bytes=DEFAULT_LIMIT_BYTES,
                    keeper_environ={},
                ),
                backends.metastore,
                backends.queue,
                KEYS,
                Claimer(backends.metastore, backends.graphs, worker=home.name, lease=LEASE),
                await self._site.metastore(stack),
                Workbench(
                    library=_library(backends.metastore),
                    backends=backends,
                    bundles=BundleCache(backends.metastore, home.folder / "bundles"),
                    reporter=Reporter(backends.metastore, backends.queue, spool),
                    clock=backends.clock,
                    environ={},
                    logs=self._site.folder / "no-logs",
                    log_limit_bytes=1,
                    kill_grace=timedelta(seconds=3),
                    is_strictly_fenced=True,
                ),
                home,
            )
            await self._worker.run()

    def _home(self) -> WorkerHome:
        """Return the machine's folder, with what the worker before this one has left there."""
        machine = self._machine
        folder = self._site.folder / machine.name / "0"
        folder.mkdir(parents=True, exist_ok=True)
        before = f"{machine.name}/{machine.incarnation}" if machine.incarnation else None
        machine.incarnation += 1
        estate = Estate(folder=folder, owner=before, is_same_boot=True)
        return WorkerHome(folder=folder, name=f"{machine.name}/{machine.incarnation}", estate=estate)


def _library(metastore: Metastore) -> Library:
    return Library(
        metastore=metastore, variables=Variables(metastore, VAULT), connections=Connections(metastore, VAULT)
    )
