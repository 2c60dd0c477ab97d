"""The roles of a node, made from its settings."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowd.actions.backends import Backends
from flowd.domain.errors import InvalidSettings
from flowd.logs.chunks import ChunkStore
from flowd.node.backends import Opened
from flowd.node.dag_code import library_of, make_dag_parser, told
from flowd.roles.bundle_cache import BundleCache
from flowd.roles.look_ups import Library
from flowd.roles.loop import Bell
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.roles.scheduler.dag_folder import DagFolder
from flowd.roles.scheduler.dag_sync import DagSync
from flowd.roles.scheduler.scheduler import Scheduler, SchedulerPlan
from flowd.roles.worker.attempt import Workbench
from flowd.roles.worker.log_shipper import LogShipper
from flowd.roles.worker.reporter import Reporter
from flowd.roles.worker.spool import SPOOL, Spool
from flowd.roles.worker.task_environment import scrubbed
from flowd.roles.worker.worker import Worker, WorkerPlan
from flowd.roles.worker.worker_home import WorkerHome
from flowd.secret_backends.lookup import SecretLookup
from flowd.settings.model import Settings

if TYPE_CHECKING:
    from flowd.tracing import Tracer


def make_worker(
    settings: Settings,
    opened: Opened,
    secrets: SecretLookup,
    home: WorkerHome,
    environ: Mapping[str, str],
    log_store: ChunkStore | None,
    tracer: "Tracer | None",
) -> Worker:
    """Return the worker role; its spool and its cache of bundles lie in its own folder."""
    backends, chosen = opened.backends, settings.worker
    _make_log_folder(settings.logs.folder)
    clean = {**scrubbed(environ), **told(settings)}
    return Worker(
        WorkerPlan(
            queues=chosen.queues,
            concurrency=chosen.concurrency,
            heartbeat=chosen.heartbeat,
            lease=chosen.lease,
            drain_timeout=chosen.drain_timeout,
            message_limit_bytes=settings.queue.message_limit,
            keeper_environ=clean,
        ),
        backends.metastore,
        backends.queue,
        opened.keys,
        opened.claimer,
        opened.heartbeats,
        Workbench(
            library=library_of(settings, backends, secrets),
            backends=backends,
            bundles=BundleCache(backends.metastore, home.folder / "bundles"),
            reporter=Reporter(backends.metastore, backends.queue, Spool(home.folder / SPOOL)),
            clock=backends.clock,
            environ=clean,
            logs=settings.logs.folder,
            log_limit_bytes=settings.logs.limit,
            kill_grace=chosen.kill_grace,
            is_strictly_fenced=chosen.strict_fencing,
            shipper=LogShipper(log_store, home.folder) if log_store is not None else None,
            tracer=tracer,
        ),
        home,
    )


def make_scheduler(
    settings: Settings,
    backends: Backends,
    secrets: SecretLookup,
    home: WorkerHome,
    environ: Mapping[str, str],
    tracer: "Tracer | None",
) -> Scheduler:
    """Return the scheduler role."""
    plan = SchedulerPlan(
        poll_interval=settings.scheduler.poll_interval,
        rescue_interval=settings.scheduler.rescue_interval,
        lease=settings.worker.lease,
        heartbeat=settings.worker.heartbeat,
        catchup_limit=settings.scheduler.catchup_limit,
        retention=settings.scheduler.retention,
        max_map_length=settings.worker.max_map_length,
    )
    library = library_of(settings, backends, secrets)
    code = AuthorCode(
        library=library,
        bundles=BundleCache(backends.metastore, home.folder / "callback-bundles"),
        environ={**scrubbed(environ), **told(settings)},
        logs=settings.logs.folder,
    )
    return Scheduler(
        plan, backends, lambda changed: _dag_sync(settings, backends, library, environ, changed), code, tracer
    )


def _make_log_folder(folder: Path) -> None:
    """Make the folder of the logs; a worker that cannot write them would fail every task it takes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InvalidSettings(
            f"logs.url is file://{folder}, where this worker cannot write ({error.strerror}); set FLOWD__LOGS__URL to a"
            " folder that it can"
        ) from error


def _dag_sync(
    settings: Settings, backends: Backends, library: Library, environ: Mapping[str, str], changed: Bell
) -> DagSync:
    chosen = settings.dags
    return DagSync(
        backends.metastore,
        DagFolder(str(chosen.folder), most_bytes=chosen.max_bundle_size),
        make_dag_parser(settings, library, environ, settings.home / "logs" / "parse"),
        chosen.scan_interval,
        paused_at_creation=chosen.paused_at_creation,
        changed=changed,
    )
