"""Cluster: the app over a metastore of its own, and the moves that schedulers and workers make in the ledger."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from flowd.actions.backends import Backends
from flowd.actions.trigger_run import trigger_run
from flowd.api.app import create_app
from flowd.clock import SystemClock
from flowd.db import dags, xcoms
from flowd.db.accounts import Accounts
from flowd.db.bundles import pack, store
from flowd.db.dags import FreshDag
from flowd.db.graphs import Graphs
from flowd.db.ledger import read, write
from flowd.db.ledger.create import create_instances
from flowd.db.metastore import Metastore
from flowd.domain.dag_run import DagRun, RunEvent
from flowd.domain.dag_spec import DagSpec
from flowd.domain.ids import BundleHash, ClaimToken, DagId, InstanceKey, RunId
from flowd.domain.states import TriggeredBy
from flowd.domain.task_events import Claimed, Failed, Queued, Scheduled, Succeeded, TaskEvent
from flowd.domain.task_instance import TaskInstance
from flowd.node.dag_code import library_of, make_bundle_parser, make_connection_tester
from flowd.queue.base import Claimed as Claim
from flowd.queue.base import Queue
from flowd.queue.database import DatabaseQueue
from flowd.queue.structured import alongside
from flowd.queue.wakeups import InProcessWakeups
from flowd.secret_backends.lookup import metastore_alone
from flowd.security.account_role import AccountRole
from flowd.settings.load import load_settings
from flowd.settings.model import Settings

TOKEN = ClaimToken("a" * 32)
PASSWORD = "correct horse"
SOURCE = "from flowd import DAG\n"


class MovableClock(SystemClock):
    """The machine's clock, moved by hand; it never really sleeps."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0
        self.slept = asyncio.Event()

    def monotonic(self) -> float:
        """Return seconds, as far as it was advanced."""
        return time.monotonic() + self._ahead_seconds

    def advance(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        self._ahead_seconds += seconds

    async def sleep(self, seconds: float) -> None:
        """Let others run, and return."""
        self.slept.set()
        await asyncio.sleep(0)


@dataclass
class Parts:
    """What the node says of its parts."""

    not_ready: dict[str, str] = field(default_factory=dict)

    async def problems(self) -> Mapping[str, str]:
        """Return what the test put in."""
        return self.not_ready


@dataclass
class Cluster:
    """An app with one account of each role."""

    app: FastAPI
    backends: Backends
    settings: Settings
    clock: MovableClock
    parts: Parts
    clients: dict[AccountRole | None, httpx.AsyncClient]

    @property
    def metastore(self) -> Metastore:
        """Where all of it is kept."""
        return self.backends.metastore

    @property
    def anonymous(self) -> httpx.AsyncClient:
        """A client that is nobody."""
        return self.clients[None]

    @property
    def viewer(self) -> httpx.AsyncClient:
        """A client that may read."""
        return self.clients[AccountRole.VIEWER]

    @property
    def user(self) -> httpx.AsyncClient:
        """A client that may trigger."""
        return self.clients[AccountRole.USER]

    @property
    def op(self) -> httpx.AsyncClient:
        """A client that may change pools and variables."""
        return self.clients[AccountRole.OP]

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        """Return what a Viewer is answered."""
        answer = await self.viewer.get(path, params=params)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def send(self, method: str, path: str, body: Any, status: int = 200, **headers: str) -> Any:
        """Return what an Op is answered."""
        answer = await self.op.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def save(self, *specs: DagSpec, is_paused: bool = False, files: Mapping[str, str] | None = None) -> None:
        """Write DAGs as the scheduler does that read their files."""
        contents = {spec.file: SOURCE for spec in specs} | dict(files or {})
        async with self.metastore.transaction() as tx:
            now = await tx.now()
            bundle = await _store(tx, contents, now)
            fresh = [FreshDag(spec=spec, parse_seconds=0.5) for spec in specs]
            await dags.save(tx, fresh, bundle=bundle, paused_at_creation=is_paused, now=now)

    async def trigger(self, dag_id: str = "etl", run_id: str = "one", **fields: Any) -> DagRun:
        """Make a run."""
        return await trigger_run(
            self.backends, dag_id=DagId(dag_id), run_id=RunId(run_id), triggered_by=TriggeredBy.TEST, **fields
        )

    async def start(self, run: DagRun) -> dict[str, TaskInstance]:
        """Start a queued run, and return its task instances by task."""
        async with self.metastore.transaction() as tx:
            graph = (await self.backends.graphs.get(tx, [run.dag_version]))[run.dag_version]
            await write.apply_to_runs(tx, [(run, RunEvent.STARTED)], await tx.now())
            await create_instances(tx, run, graph, list(graph.tasks))
            keys = await tx.execute("SELECT id FROM task_instance WHERE run = :run", {"run": run.key})
            made = await read.instances(tx, [InstanceKey(key) for (key,) in keys])
        return {instance.task_id: instance for instance in made.values()}

    async def happen(self, instance: TaskInstance, *events: TaskEvent, error: str | None = None) -> TaskInstance:
        """Let events happen to an instance, one after the other."""
        measured = {instance.key: write.Measured(exit_code=1 if error else 0, error=error)}
        async with self.metastore.transaction() as tx:
            current = (await read.instances(tx, [instance.key]))[instance.key]
            for event in events:
                (after,) = await write.apply(tx, [(current, event)], await tx.now(), measured=measured)
                assert isinstance(after, TaskInstance), after
                current = after
        return current

    async def claim(self, instance: TaskInstance) -> TaskInstance:
        """Let a worker run the instance."""
        number = instance.try_number + 1
        return await self.happen(
            instance, Scheduled(), Queued(), Claimed(number, 0, TOKEN, "worker1", timedelta(minutes=1))
        )

    async def succeed(self, instance: TaskInstance, value: Any = None) -> TaskInstance:
        """Let a worker run the instance to success, leaving a value."""
        running = await self.claim(instance)
        if value is not None:
            async with self.metastore.transaction() as tx:
                await xcoms.push(tx, [(instance.key, "return_value", value)], await tx.now())
        return await self.happen(running, Succeeded(TOKEN))

    async def fail(self, instance: TaskInstance, error: str = "boom") -> TaskInstance:
        """Let a worker run the instance to failure."""
        return await self.happen(await self.claim(instance), Failed(TOKEN, timedelta()), error=error)


async def _store(tx: Any, contents: Mapping[str, str], now: Any) -> BundleHash:
    packed, manifest = {}, {}
    for file, text in contents.items():
        digest = json.dumps(text)
        manifest[file] = digest[:64].ljust(64, "0")
        packed[manifest[file]] = pack(text.encode())
    return await store(tx, manifest, packed, size_bytes=sum(map(len, contents.values())), now=now)


@asynccontextmanager
async def a_cluster(
    metastore: Metastore, folder: Path, queue: Queue | None = None, given: Mapping[str, str] | None = None
) -> AsyncIterator[Cluster]:
    """The app over this metastore, with logs in `folder`, and a client of each role; `queue` is open."""
    settings = load_settings({"FLOWD_HOME": str(folder), **(given or {})}, folder=folder)
    clock, parts = MovableClock(), Parts()
    queue = queue or DatabaseQueue(claim_next=_nothing, give_up=_nothing_given, wakeups=InProcessWakeups())
    backends = Backends(metastore=metastore, graphs=Graphs(), queue=queue, clock=clock)
    bundles = make_bundle_parser(settings, library_of(settings, backends, metastore_alone()), os.environ)
    tester = make_connection_tester(settings, os.environ)
    app = create_app(backends, settings, bundles=bundles, tester=tester, readiness=parts, registry=CollectorRegistry())
    accounts, tokens = Accounts(metastore), app.state.context.tokens
    clients: dict[AccountRole | None, httpx.AsyncClient] = {None: _client(app)}
    for role in AccountRole:
        made = await accounts.create(role.value.lower(), role, None)
        token = tokens.issue(made.username, role, clock.now(), generation=made.generation)
        clients[role] = _client(app, token)
    try:
        async with alongside(app.state.change_feed.run()):
            yield Cluster(app, backends, settings, clock, parts, clients)
    finally:
        for client in clients.values():
            await client.aclose()


def _client(app: FastAPI, token: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://flowd.test", headers=headers)


async def _nothing(queues: Sequence[str], limit: int) -> Sequence[Claim]:
    return []


async def _nothing_given(claims: Sequence[Claim]) -> None:
    """There were no claims."""


def with_retries(spec: DagSpec, retries: int) -> DagSpec:
    """The same DAG, whose tasks are tried again so many times."""
    return replace(spec, tasks=tuple(replace(task, retry=replace(task.retry, retries=retries)) for task in spec.tasks))
