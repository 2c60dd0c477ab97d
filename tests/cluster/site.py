"""Site: the hosts of the guide with what runs on each, set up step by step as the guide says."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from flowd.db.metastore import Metastore
from tests.cluster.network import Host, Network
from tests.cluster.servers import PASSWORD, Haproxy, Postgres, Rabbitmq, Server
from tests.support.checker.check import check
from tests.support.checker.metastore_evidence import evidence_of
from tests.support.checker.violation import Violation
from tests.support.node_process import SECRETS, eventually

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "tests" / "faults" / "dags"
READY_SECONDS = 180.0
STOP_SECONDS = 180.0
API_PORT = 8080
ADMIN, ADMIN_PASSWORD = "ada", "the-password-of-ada"
NARROW_SLOTS = 3


@dataclass(slots=True)
class Node:
    """`flowd run` on a host, with these roles; `source` is the code that it runs."""

    host: Host
    roles: str
    environ: Mapping[str, str]
    home: Path
    source: Path = ROOT / "src"
    process: "subprocess.Popen[bytes] | None" = None
    _times_ready: int = 0

    def start(self) -> "Node":
        """Start it; `await_ready` waits until it says that it is ready."""
        self.home.mkdir(exist_ok=True)
        self._times_ready = self._count_ready()
        with open(self.home / "node.log", "ab") as log:
            self.process = self.host.start(
                [sys.executable, "-m", "flowd.cli", "run", "--roles", self.roles],
                log,
                environ={**self.environ, "PYTHONPATH": str(self.source)},
            )
        return self

    def await_ready(self) -> None:
        """Return when it is ready."""
        process = self.process
        assert process is not None
        eventually(
            lambda: self._count_ready() > self._times_ready or process.poll() is not None,
            f"{self.host.name} to be ready",
            READY_SECONDS,
        )
        assert process.poll() is None, f"{self.host.name} ended with {process.returncode}:\n{self.log[-3000:]}"

    def stop(self) -> None:
        """Drain it, as its supervisor does, and return when it has ended in good order."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(STOP_SECONDS)
        assert code == 0, f"{self.host.name} ended with {code}:\n{self.log[-3000:]}"

    @property
    def is_running(self) -> bool:
        """True from its start until its end."""
        return self.process is not None and self.process.poll() is None

    @property
    def has_api(self) -> bool:
        """True where it answers HTTP."""
        return "api" in self.roles.split(",")

    @property
    def log(self) -> str:
        """What it has said."""
        path = self.home / "node.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _count_ready(self) -> int:
        return self.log.count('"event": "ready"')


@dataclass(slots=True)
class Site:
    """All hosts and what runs on them."""

    network: Network
    folder: Path
    patience: Mapping[str, str]
    nodes: dict[str, Node] = field(default_factory=dict)
    servers: dict[str, Server] = field(default_factory=dict)

    @property
    def journal(self) -> Path:
        """What tasks write down."""
        return self.folder / "journal"

    @property
    def requests(self) -> Path:
        """What clients write down."""
        return self.folder / "requests"

    @property
    def logs(self) -> Path:
        """The folder that stands for what workers and masters share."""
        return self.folder / "logs"

    @property
    def people(self) -> Host:
        """Where clients are."""
        return self.network["people"]

    @property
    def proxy(self) -> Haproxy:
        """The load balancer."""
        proxy = self.servers["lb"]
        assert isinstance(proxy, Haproxy)
        return proxy

    @property
    def url(self) -> str:
        """Where clients ask."""
        return f"http://{self.network['lb'].address}:{Haproxy.port}"

    @property
    def metastore_url(self) -> str:
        """The metastore, for who is on a host but does not know the others by name."""
        return f"postgresql://flowd:{PASSWORD}@{self.network['db'].address}/flowd"

    def set_up(self) -> None:
        """Do what the guide says, in its order."""
        for name in ("db", "mq", "master1", "master2", "worker1", "worker2", "lb", "people"):
            self.network.add(name)
        shutil.copytree(DAGS, self.folder / "dags", ignore=shutil.ignore_patterns("__pycache__", "control_dags.py"))
        self.serve("db", Postgres)
        self.serve("mq", Rabbitmq)
        master1 = self.network["master1"]
        flowd = [sys.executable, "-m", "flowd.cli"]
        master1.run([*flowd, "db", "migrate"], environ=self.settings("master1"))
        user = ["users", "create", ADMIN, "--role", "Admin", "--password-stdin"]
        master1.run([*flowd, *user], environ=self.settings("master1"), typed=ADMIN_PASSWORD)
        for name, roles in {
            "master1": "api,scheduler",
            "master2": "api",
            "worker1": "worker",
            "worker2": "worker",
        }.items():
            self.run(name, roles)
        self.serve("lb", Haproxy)
        for node in self.nodes.values():
            node.await_ready()
        self.await_proxy()

    def serve(self, name: str, kind: type[Server]) -> None:
        """Set up a server on its host."""
        self.servers[name] = kind(self.network[name], self.folder / name)
        self.servers[name].set_up()

    def run(self, name: str, roles: str, source: Path = ROOT / "src") -> Node:
        """Start a node on its host."""
        node = Node(self.network[name], roles, self.settings(name), self.folder / name, source)
        self.nodes[name] = node
        return node.start()

    def settings(self, name: str) -> dict[str, str]:
        """Return the one configuration of all hosts, and this one's home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWD")}
        return {
            **kept,
            "FLOWD__DATABASE__URL": f"postgresql://flowd:{PASSWORD}@db/flowd",
            "FLOWD__QUEUE__URL": f"amqp://flowd:{PASSWORD}@mq/flowd",
            **{key: value for key, value in SECRETS.items() if "ADMIN" not in key},
            "FLOWD__LOGS__URL": f"file://{self.logs}",
            "FLOWD__LOGS__FORMAT": "json",
            "FLOWD__API__HOST": "0.0.0.0",
            "FLOWD__API__PORT": str(API_PORT),
            "FLOWD__API__PUBLIC_URL": f"http://lb:{Haproxy.port}",
            "FLOWD__WORKER__CONCURRENCY": "30",
            "FLOWD__DAGS__FOLDER": str(self.folder / ("dags" if name.startswith("master") else "no-dags-here")),
            "FLOWD__DAGS__PAUSED_AT_CREATION": "false",
            **self.patience,
            # What a machine has of its own.
            "FLOWD_HOME": str(self.folder / name),
            "HOME": str(self.folder / name),
            "JOURNAL": str(self.journal),
        }

    def turn_off(self, name: str) -> None:
        """Turn a host off: all that runs there is gone at once."""
        self.network[name].turn_off()

    def turn_on(self, name: str) -> None:
        """Turn a host on again, as it was."""
        if name in self.nodes:
            self.nodes[name].start()
        else:
            self.servers[name].start()

    def await_proxy(self) -> None:
        """Return when the load balancer sends requests to every API."""
        wanted = {name for name, node in self.nodes.items() if node.has_api}
        eventually(lambda: self.proxy.servers_up() == wanted, f"the load balancer to use {wanted}", READY_SECONDS)

    def log_in(self) -> tuple[str, str]:
        """Return an access token and a session of the first user."""
        login = {"username": ADMIN, "password": ADMIN_PASSWORD}

        def ask() -> tuple[str, str]:
            with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as http:
                token = http.post("/auth/token", json=login)
                assert token.status_code == 201, token.text
                page = http.post("/login", data=login)
                assert page.status_code == 303, page.text
                return token.json()["access_token"], http.cookies["flowd_session"]

        return self.people.call(ask)

    def prepare(self, token: str) -> None:
        """Make the pool that the journal's DAGs want, and wait until all of them are known."""
        self.ask("POST", "/api/v2/pools", token, json={"name": "narrow", "slots": NARROW_SLOTS})
        eventually(
            lambda: self.ask("GET", "/api/v2/dags/journal_long", token).status_code == 200, "the DAGs to be known"
        )

    def ask(self, method: str, path: str, token: str, **options: Any) -> httpx.Response:
        """Ask through the load balancer."""
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}

        def work() -> httpx.Response:
            with httpx.Client(timeout=120, trust_env=False) as http:
                return http.request(method, f"{self.url}{path}", headers=headers, **options)

        return self.people.call(work)

    def run_states(self) -> dict[str, str]:
        """Return the state of every run, by its id, read on the metastore's own host."""

        async def read() -> dict[str, str]:
            metastore = Metastore(self.metastore_url, pool_size=1)
            try:
                async with metastore.reading() as tx:
                    rows = await tx.execute("SELECT dag_id, run_id, state FROM dag_run")
                    return {f"{dag_id}/{run_id}": state for dag_id, run_id, state in rows}
            finally:
                await metastore.close()

        return self.network["db"].call(lambda: asyncio.run(read()))

    def violations(self) -> list[Violation]:
        """Return what the checker finds in all that has happened here."""
        evidence = evidence_of(self.metastore_url, journal=self.journal, requests=self.requests, logs=self.logs)
        return check(self.network["db"].call(lambda: asyncio.run(evidence)))
