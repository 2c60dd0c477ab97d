"""Node: one process, its roles in one TaskGroup, its signals and its drain."""

import asyncio
import os
import socket
import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

import structlog

from flowd.api.metrics import no_tickets
from flowd.db.nodes import Node as NodeRecord
from flowd.db.nodes import Wish
from flowd.domain.errors import Unavailable
from flowd.logs.reader import LogReader
from flowd.node.api_server import ApiServer
from flowd.node.api_workers import inherited_socket
from flowd.node.backends import Opened, open_backends
from flowd.node.background import background
from flowd.node.dag_code import library_of, make_bundle_parser, make_connection_tester
from flowd.node.first_user import announce, prepare_first_user
from flowd.node.kerberos import make_ticket_renewer
from flowd.node.log_store import open_log_store
from flowd.node.readiness import Readiness
from flowd.node.roles import make_scheduler, make_worker
from flowd.node.scheduler_lock import scheduler_lock
from flowd.node.signals import on_signals
from flowd.node.status_file import NodeStatus, StatusFile
from flowd.node.supervisor import Supervisor
from flowd.node.tracing import open_tracer
from flowd.roles.backoff import patiently
from flowd.roles.kerberos.ticket_renewer import TicketRenewer
from flowd.roles.presence import Presence
from flowd.roles.scheduler.scheduler import Scheduler
from flowd.roles.worker.worker import Worker
from flowd.roles.worker.worker_home import WorkerHome, homes_of, worker_home
from flowd.secret_backends.configured import configured_lookup
from flowd.secret_backends.lookup import SecretLookup
from flowd.settings.model import Settings

if TYPE_CHECKING:
    from flowd.logs.s3_store import S3LogStore
    from flowd.tracing import Tracer

log = structlog.get_logger(__name__)

HURRIED_SECONDS = 5.0
"""How long a node that was told twice to stop waits for its last reports; they are in the spool by then."""


class Node:
    """Runs the roles that the settings enable until SIGTERM or SIGINT: the first drains, the second stops now."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], supervisor: Supervisor) -> None:
        self._settings = settings
        self._environ = environ
        self._supervisor = supervisor
        self._status = StatusFile(settings.node.status_file)
        self._id = uuid.uuid4().hex
        self._told_to_stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._starting: asyncio.Timeout | None = None
        self._scheduler: Scheduler | None = None
        self._worker: Worker | None = None
        self._api: ApiServer | None = None
        self._renewer: TicketRenewer | None = None

    async def run(self) -> None:
        """Start, say where people can log in, and return when the drain is over."""
        with on_signals(self._on_signal):
            try:
                # It never passes by itself: a signal during the start-up, which may wait for a backend, makes it pass.
                async with self._supervisor.watched(), self._status.kept(), asyncio.timeout(None) as starting:
                    self._starting = starting
                    await self._start()
            except TimeoutError:
                if not starting.expired():
                    raise
        log.info("stopped")

    async def _start(self) -> None:
        if "kerberos" not in self._settings.node.roles:
            await self._start_roles()
            return
        # It needs no backend, and goes on for as long as tasks of this host may run: while backends are waited for, and
        # during the drain.
        self._renewer = make_ticket_renewer(self._settings.kerberos, self._environ)
        async with background(self._renewer.loop.run()):
            await self._start_roles()

    async def _start_roles(self) -> None:
        homes = homes_of(self._settings.home, self._settings.node.roles)
        with worker_home(homes, self._settings.worker.name) as home:
            async with open_backends(self._settings, home.name) as opened:
                is_scheduler = "scheduler" in self._settings.node.roles
                with scheduler_lock(opened.backends.metastore) if is_scheduler else nullcontext():
                    metastore = opened.backends.metastore
                    await patiently("Node", lambda: prepare_first_user(self._settings, metastore))
                    self._starting = None
                    secrets = configured_lookup(self._settings.secrets, self._environ, opened.backends.clock)
                    async with (
                        secrets.open(),
                        open_log_store(self._settings.logs) as log_store,
                        open_tracer(self._settings.tracing, home.name) as tracer,
                    ):
                        await self._run_roles(opened, secrets, home, log_store, tracer)

    async def _run_roles(
        self,
        opened: Opened,
        secrets: SecretLookup,
        home: WorkerHome,
        log_store: "S3LogStore | None",
        tracer: "Tracer | None",
    ) -> None:
        settings, roles = self._settings, self._settings.node.roles
        readiness = Readiness(self._parts)
        if "scheduler" in roles:
            self._scheduler = make_scheduler(settings, opened.backends, secrets, home, self._environ, tracer)
        if "worker" in roles:
            self._worker = make_worker(settings, opened, secrets, home, self._environ, log_store, tracer)
        if "api" in roles:
            bundles = make_bundle_parser(settings, library_of(settings, opened.backends, secrets), self._environ)
            self._api = ApiServer(
                settings,
                opened.backends,
                readiness,
                bundles,
                make_connection_tester(settings, self._environ),
                inherited_socket(self._environ),
                LogReader(source=log_store),
                tickets=self._renewer.seconds_left if self._renewer is not None else no_tickets,
            )
        presence = Presence(opened.backends.metastore, self._record, self._heed)
        self._started_at = opened.backends.clock.now()
        self._name = home.name
        async with asyncio.TaskGroup() as group:
            serving: asyncio.Task[None] | None = None
            services = [group.create_task(presence.loop.run(), name="Presence")]
            if self._scheduler is not None:
                services.append(group.create_task(self._scheduler.run(), name="Scheduler"))
            if self._api is not None:
                serving = group.create_task(self._api.run(), name="Api")
            work = group.create_task(self._worker.run(), name="Worker") if self._worker is not None else None
            services.append(
                group.create_task(announce(settings, opened.backends.metastore, readiness), name="Announce")
            )
            services.append(group.create_task(self._tell_ready(readiness), name="Supervisor"))
            await self._told_to_stop.wait()
            readiness.drain()
            if self._worker is not None and work is not None:
                await self._drain_worker(self._worker, work)
            if self._api is not None and serving is not None:
                self._api.stop()
                await serving
            for service in services:
                service.cancel()
        try:
            await presence.leave()
        except Unavailable as error:
            log.warning("left without a word", error=str(error))

    async def _drain_worker(self, worker: Worker, work: "asyncio.Task[None]") -> None:
        worker.drain()
        async with asyncio.TaskGroup() as group:
            hurry = group.create_task(self._hurry_up(worker, work))
            await asyncio.wait({work})
            hurry.cancel()

    async def _hurry_up(self, worker: Worker, work: "asyncio.Task[None]") -> None:
        await self._hurry.wait()
        worker.drain()
        await asyncio.wait({work}, timeout=HURRIED_SECONDS)
        work.cancel()

    async def _tell_ready(self, readiness: Readiness) -> None:
        await readiness.wait()
        self._supervisor.ready()
        self._status.say(NodeStatus.READY)

    def _parts(self) -> dict[str, bool]:
        """Return which parts of this node are ready."""
        parts: dict[str, bool] = {}
        if self._scheduler is not None:
            parts["scheduler"] = self._scheduler.is_ready
        if self._worker is not None:
            parts["worker"] = self._worker.is_ready
        if self._api is not None:
            parts["api"] = self._api.is_ready
        if self._renewer is not None:
            parts["kerberos"] = self._renewer.is_ready
        return parts

    def _record(self) -> NodeRecord:
        worker = self._worker
        return NodeRecord(
            id=self._id,
            name=self._name,
            host=socket.gethostname(),
            pid=os.getpid(),
            roles=tuple(self._settings.node.roles),
            queues=tuple(self._settings.worker.queues) if worker is not None else (),
            concurrency=worker.slots.size if worker is not None else 0,
            running=worker.slots.taken if worker is not None else 0,
            is_taking_work=worker.is_taking_work if worker is not None else True,
            started_at=self._started_at,
        )

    def _heed(self, wish: Wish) -> None:
        worker = self._worker
        if worker is None:
            return
        concurrency = self._settings.worker.concurrency if wish.concurrency is None else wish.concurrency
        if concurrency != worker.slots.size:
            log.info("concurrency changed", before=worker.slots.size, now=concurrency)
            worker.slots.resize(concurrency)
        worker.rest(wish.is_to_drain)

    def _on_signal(self) -> None:
        if self._told_to_stop.is_set():
            log.warning("told to stop again: stopping now")
            self._hurry.set()
            return
        self._told_to_stop.set()
        self._supervisor.stopping()
        self._status.say(NodeStatus.STOPPING)
        if self._starting is not None:
            log.info("told to stop before it had started", pid=os.getpid())
            self._starting.reschedule(asyncio.get_running_loop().time())
            return
        log.info("told to stop: draining", pid=os.getpid())
