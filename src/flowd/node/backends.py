"""The backends a node is configured with: which metastore, which queue, and how its processes wake each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from flowd.actions.backends import Backends
from flowd.clock import SystemClock
from flowd.db.graphs import Graphs
from flowd.db.metastore import Metastore
from flowd.db.revisions import SchemaState, current
from flowd.domain.errors import InvalidSettings
from flowd.node.background import background
from flowd.node.brokers import make_broker_queue
from flowd.queue.base import Queue, Wakeups
from flowd.queue.database import DatabaseQueue
from flowd.queue.message import SigningKeys
from flowd.queue.wakeups import InProcessWakeups
from flowd.roles.backoff import patiently
from flowd.roles.worker.claimer import Claimer
from flowd.settings.model import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The node's backends, open, with the keys of its messages and its way to claim work.

    `heartbeats` is the same metastore over a connection of its own: a busy pool must cost no worker its leases.
    """

    backends: Backends
    keys: SigningKeys
    claimer: Claimer
    heartbeats: Metastore


@asynccontextmanager
async def open_backends(settings: Settings, worker_name: str) -> AsyncIterator[Opened]:
    """Open what the settings name, wait until the metastore answers with the right schema, and close it at the end.

    `worker_name` is the name under which this node's worker, if it has one, holds leases.
    """
    url = settings.database.url.get_secret_value()
    metastore = Metastore(url, pool_size=settings.database.pool_size)
    # One connection writes to SQLite at a time, whoever holds it.
    heartbeats = metastore if metastore.is_embedded else Metastore(url, pool_size=1)
    try:
        await patiently("Node", lambda: _prepare_schema(metastore, settings))
        async with open_around(metastore, settings, worker_name, heartbeats=heartbeats) as opened:
            yield opened
    finally:
        for each in {metastore, heartbeats}:
            await each.close()


@asynccontextmanager
async def open_around(
    metastore: Metastore, settings: Settings, worker_name: str, *, heartbeats: Metastore
) -> AsyncIterator[Opened]:
    """Open the queue that the settings name beside a metastore that is ready, and close the queue at the end."""
    graphs = Graphs()
    keys = SigningKeys.from_secrets(settings.security.secret_keys)
    claimer = Claimer(metastore, graphs, worker=worker_name, lease=settings.worker.lease)
    async with _wakeups(metastore, settings) as wakeups:
        queue = _queue(settings, keys, claimer, wakeups)
        async with queue.open():
            yield Opened(
                backends=Backends(metastore=metastore, graphs=graphs, queue=queue, clock=SystemClock()),
                keys=keys,
                claimer=claimer,
                heartbeats=heartbeats,
            )


async def _prepare_schema(metastore: Metastore, settings: Settings) -> None:
    status = await current(metastore)
    if status.state is SchemaState.UP_TO_DATE:
        return
    can_migrate = status.state in (SchemaState.EMPTY, SchemaState.BEHIND, SchemaState.CUT_OFF)
    if not can_migrate or not (metastore.is_embedded or settings.database.auto_migrate):
        raise InvalidSettings(str(status))
    from flowd.db.migrate import upgrade  # alembic takes a third of the time to boot, and is wanted once

    log.info("migrating the metastore", found=status.found, wanted=status.wanted)
    await upgrade(metastore)


@asynccontextmanager
async def _wakeups(metastore: Metastore, settings: Settings) -> AsyncIterator[Wakeups]:
    if not metastore.dialect.has_notifications or not settings.queue.is_embedded:
        yield InProcessWakeups()
        return
    from flowd.db.notify import PostgresWakeups  # asyncpg is an extra of the package, and of no use elsewhere

    wakeups = PostgresWakeups(metastore)
    async with background(wakeups.run()):
        yield wakeups


def _queue(settings: Settings, keys: SigningKeys, claimer: Claimer, wakeups: Wakeups) -> Queue:
    if settings.queue.is_embedded:
        return DatabaseQueue(
            claim_next=claimer.claim_next,
            give_up=claimer.give_up,
            wakeups=wakeups,
            poll_interval=settings.queue.poll_interval,
        )
    return make_broker_queue(settings.queue, keys)
