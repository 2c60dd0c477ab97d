"""The backends that are measured, and a place on each: what nodes need to know to meet there."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.cluster.servers import amqp_url, own_database, own_queues

CONCURRENCY = 8
ADMIN_PASSWORD = "bench-admin-password"
DAGS = Path(__file__).resolve().parent.parent / "dags"


class Backend(StrEnum):
    """Where the ledger and the queue are."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A metastore and a queue of one's own. `nodes` gives the roles of each node; `database` is the metastore's URL."""

    backend: Backend
    folder: Path
    nodes: tuple[str, ...]
    database: str
    environ: Mapping[str, str]

    @property
    def journal(self) -> Path:
        """Where tasks write when their first instruction ran."""
        return self.folder / "journal"


@contextmanager
def open_place(backend: Backend, folder: Path) -> Iterator[Place]:
    """Make what nodes on the backend need, and take it away at the end; files go into `folder`."""
    folder.mkdir(parents=True)
    if backend is Backend.SQLITE:
        url = f"sqlite:///{folder / 'flowd.db'}"
        yield _place(backend, folder, ("api,scheduler,worker",), url, {})
        return
    prefix = f"bench-{secrets.token_hex(6)}"
    with own_database() as url, own_queues(prefix):
        queue = {"FLOWD__QUEUE__URL": amqp_url(), "FLOWD__QUEUE__PREFIX": prefix}
        yield _place(backend, folder, ("api,scheduler", "worker"), url, queue)


def _place(backend: Backend, folder: Path, nodes: tuple[str, ...], url: str, queue: Mapping[str, str]) -> Place:
    environ = {
        "FLOWD__DATABASE__URL": url,
        "FLOWD__DATABASE__AUTO_MIGRATE": "true",
        "FLOWD__DAGS__FOLDER": str(DAGS),
        "FLOWD__DAGS__PAUSED_AT_CREATION": "false",
        "FLOWD__WORKER__CONCURRENCY": str(CONCURRENCY),
        "FLOWD__LOGS__URL": f"file://{folder / 'logs'}",
        "FLOWD__LOGS__FORMAT": "json",
        "FLOWD__SECURITY__SECRET_KEY": secrets.token_hex(32),
        "FLOWD__SECURITY__FERNET_KEY": secrets.token_urlsafe(32) + "=",
        "FLOWD__SECURITY__ADMIN_PASSWORD": ADMIN_PASSWORD,
        "BENCH_JOURNAL": str(folder / "journal"),
        **queue,
    }
    return Place(backend=backend, folder=folder, nodes=nodes, database=url, environ=environ)
