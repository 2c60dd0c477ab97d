"""Place: what nodes need to know to meet: a metastore and a queue of one's own, and a DAG folder."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cluster.backend import Backend, Broker, Metastore
from bench.cluster.layout import Layout
from bench.limits.parallelism import IN_FLIGHT
from bench.servers.mariadb import own_mariadb_database
from bench.servers.postgresql import own_postgres_database
from bench.servers.rabbitmq import amqp_url, own_queues
from bench.servers.sqs import KEY, REGION, SECRET, own_sqs

ADMIN_PASSWORD = "bench-admin-password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`nodes` gives the roles of each node, `database` is the metastore's URL, `environ` what every node is told.

    `broker_pids` are processes started for this place alone that play the broker.
    """

    backend: Backend
    folder: Path
    nodes: tuple[str, ...]
    database: str
    environ: Mapping[str, str]
    broker_pids: tuple[int, ...] = ()

    @property
    def dags(self) -> Path:
        """The DAG folder."""
        return self.folder / "dags"

    @property
    def journal(self) -> Path:
        """Where tasks write when their first instruction ran."""
        return self.folder / "journal"


@contextmanager
def open_place(backend: Backend, layout: Layout, folder: Path) -> Iterator[Place]:
    """Make what nodes on the backend need, and take it away at the end; files go into `folder`."""
    folder.mkdir(parents=True)
    layout.write_dags(folder / "dags")
    with ExitStack() as stack:
        database = _open_metastore(backend.metastore, folder, stack)
        queue, broker_pids = _open_queue(backend.broker, stack)
        yield Place(
            backend=backend,
            folder=folder,
            nodes=layout.nodes_on(backend),
            database=database,
            environ={**common_environ(folder), "FLOWD__DATABASE__URL": database, **queue},
            broker_pids=broker_pids,
        )


def _open_metastore(metastore: Metastore, folder: Path, stack: ExitStack) -> str:
    match metastore:
        case Metastore.SQLITE:
            return f"sqlite:///{folder / 'flowd.db'}"
        case Metastore.POSTGRES:
            return stack.enter_context(own_postgres_database())
        case Metastore.MARIADB:
            return stack.enter_context(own_mariadb_database())


def _open_queue(broker: Broker, stack: ExitStack) -> tuple[dict[str, str], tuple[int, ...]]:
    prefix = f"bench-{secrets.token_hex(6)}"
    match broker:
        case Broker.DATABASE:
            return {}, ()
        case Broker.RABBITMQ:
            stack.enter_context(own_queues(prefix))
            return {"FLOWD__QUEUE__URL": amqp_url(), "FLOWD__QUEUE__PREFIX": prefix}, ()
        case Broker.SQS:
            server = stack.enter_context(own_sqs())
            return {
                "FLOWD__QUEUE__URL": f"sqs://{KEY}:{SECRET}@",
                "FLOWD__QUEUE__SQS_REGION": REGION,
                "FLOWD__QUEUE__SQS_ENDPOINT_URL": server.endpoint,
                "FLOWD__QUEUE__PREFIX": prefix,
            }, (server.pid,)


def common_environ(folder: Path) -> dict[str, str]:
    """Return what every node of the bench is told, wherever its metastore and its queue are."""
    return {
        "FLOWD__DATABASE__AUTO_MIGRATE": "true",
        "FLOWD__DAGS__FOLDER": str(folder / "dags"),
        "FLOWD__DAGS__PAUSED_AT_CREATION": "false",
        "FLOWD__WORKER__CONCURRENCY": str(IN_FLIGHT),
        "FLOWD__WORKER__MAX_MAP_LENGTH": "10000",
        "FLOWD__LOGS__URL": f"file://{folder / 'logs'}",
        "FLOWD__LOGS__FORMAT": "json",
        "FLOWD__SECURITY__SECRET_KEY": secrets.token_hex(32),
        "FLOWD__SECURITY__FERNET_KEY": secrets.token_urlsafe(32) + "=",
        "FLOWD__SECURITY__ADMIN_PASSWORD": ADMIN_PASSWORD,
        "BENCH_JOURNAL": str(folder / "journal"),
    }
