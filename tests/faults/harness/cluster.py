"""Cluster: nodes of flowd on private servers, every wire between them in the scenario's hands."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.failpoints.order import VARIABLE, OrderBook
from tests.faults.harness.broker_server import BrokerServer
from tests.faults.harness.database_server import DatabaseServer
from tests.faults.harness.ledger import Ledger
from tests.faults.harness.link import Link
from tests.faults.harness.loop_thread import LoopThread
from tests.faults.harness.member import Member
from tests.faults.harness.rabbitmq import RabbitmqProcess
from tests.faults.harness.server_process import ServerProcess
from tests.support.node_process import READY_SECONDS, NodeProcess

DAGS = Path(__file__).parent.parent / "dags"
ROOT = Path(__file__).parents[3]

FAST: Mapping[str, str] = {
    "FLOWD__WORKER__HEARTBEAT": "500ms",
    "FLOWD__WORKER__LEASE": "4s",
    "FLOWD__WORKER__KILL_GRACE": "1s",
    "FLOWD__WORKER__DRAIN_TIMEOUT": "20s",
    "FLOWD__WORKER__CONCURRENCY": "16",
    "FLOWD__SCHEDULER__RESCUE_INTERVAL": "500ms",
    "FLOWD__DAGS__SCAN_INTERVAL": "1s",
    "FLOWD__DAGS__PARSE_TIMEOUT": "5s",
    "FLOWD__DAGS__PARSE_MEMORY": "256MiB",
    "FLOWD__DAGS__PAUSED_AT_CREATION": "false",
    "FLOWD__API__TEST_CONNECTIONS": "true",
}
"""Seconds where a cluster in earnest waits a minute."""

MEMBERS = {"master1": "api,scheduler", "master2": "api,scheduler", "worker1": "worker", "worker2": "worker"}
NOTHING: Mapping[str, str] = {}
NARROW_SLOTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The servers a cluster stands on. Clusters share them: each has names of its own on them."""

    wires: LoopThread
    database: DatabaseServer
    broker: BrokerServer

    def __iter__(self) -> Iterator[ServerProcess]:
        yield self.database
        yield self.broker

    @property
    def rabbitmq(self) -> RabbitmqProcess:
        """The broker, where the scenario is one of RabbitMQ's own."""
        assert isinstance(self.broker, RabbitmqProcess)
        return self.broker


class Cluster:
    """Nodes that meet in a database and a prefix of their own. `mend` and `restart_dead` make it whole again."""

    def __init__(self, servers: Servers, folder: Path, *, name: str, logs: Path | None = None) -> None:
        self.servers = servers
        self.name = name
        self.folder = folder
        self.dags = folder / "dags"
        self.logs = logs or folder / "logs"
        self.journal = folder / "journal"
        self.requests = folder / "requests"
        self.members: dict[str, Member] = {}
        self.token = ""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            shutil.copytree(DAGS, self.dags, ignore=shutil.ignore_patterns("__pycache__"))
            self.servers.database.create(self.name)
            ledger = Ledger(self.servers.wires, self.servers.database.url(self.name))
            self.ledger = stack.enter_context(ledger)
            stack.callback(self._destroy)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, name: str, roles: str, environ: Mapping[str, str] = NOTHING, *, home: Path | None = None) -> Member:
        """Make a node, with its state in `home`, and begin to start it; `await_ready` waits for all."""
        metastore = Link(self.servers.wires, self.servers.database.port)
        broker = Link(self.servers.wires, self.servers.broker.port)
        home = home or self.folder / name
        home.mkdir(exist_ok=True)
        book = OrderBook(self.folder / f"{name}.orders")
        settings = {
            **FAST,
            "FLOWD__DATABASE__URL": self.servers.database.url(self.name, metastore.port),
            "FLOWD__DATABASE__AUTO_MIGRATE": "true",
            **self.servers.broker.settings(broker.port),
            "FLOWD__QUEUE__PREFIX": self.name,
            "FLOWD__LOGS__URL": f"file://{self.logs}",
            "FLOWD__DAGS__FOLDER": str(self.dags if "scheduler" in roles else self.folder / "no-dags-here"),
            "JOURNAL": str(self.journal),
            "PYTHONPATH": str(ROOT),
            VARIABLE: str(book.path),
            **environ,
        }
        process = NodeProcess(home=home, roles=roles, environ=settings, module="tests.faults.node")
        links = {"metastore": metastore, "broker": broker}
        member = Member(name=name, process=process, links=links, book=book)
        self.members[name] = member
        process.launch()
        return member

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def await_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when every node says that it is ready."""
        for member in self.members.values():
            member.process.await_ready(seconds)

    def start(self) -> None:
        """Start two masters and two workers."""
        for name, roles in MEMBERS.items():
            self.add(name, roles)
        self.await_ready()
        self.prepare()

    def prepare(self) -> None:
        """Log in, and make the pool that the journal's DAGs want."""
        api = self.api
        api.post("/api/v2/pools", {"name": "narrow", "slots": NARROW_SLOTS})
        assert api.token is not None
        self.token = api.token

    @property
    def api(self) -> NodeProcess:
        """A node that answers HTTP."""
        return next(one.process for one in self.members.values() if one.has_api and one.process.is_running)

    @property
    def urls(self) -> list[str]:
        """Where its APIs are, those that are down too."""
        return [member.process.url for member in self.members.values() if member.has_api]

    def mend(self) -> None:
        """Wake and start every server, mend every wire, and take back every order."""
        for server in self.servers:
            server.resume()
            if not server.is_running:
                server.start()
        for member in self.members.values():
            member.heal()

    def restart_dead(self) -> None:
        """Start the nodes that have ended, and return when they are ready."""
        for member in self.members.values():
            member.await_death()
        dead = [member.process for member in self.members.values() if not member.process.is_running]
        for process in dead:
            process.launch()
        for process in dead:
            process.await_ready()

    @property
    def task_queue(self) -> str:
        """The broker's name of the queue that the tasks wait in."""
        return f"{self.name}.tasks.default"

    def _destroy(self) -> None:
        for member in self.members.values():
            member.destroy()
