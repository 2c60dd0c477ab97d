"""The servers of the guide, each on a host of its own: PostgreSQL, RabbitMQ and haproxy."""

import csv
import os
import shutil
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.network import Host
from tests.faults.harness.server_process import program
from tests.support.node_process import eventually

START_SECONDS = 120.0
POSTGRES_PLACES = ("/usr/lib/postgresql/*/bin",)
RABBITMQ_PLACES = ("/usr/lib/rabbitmq/bin",)
PASSWORD = "a-password"


class Server(ABC):
    """A program on a host; what it has written outlives it."""

    user: str | None = None
    port: int

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def set_up(self) -> None:
        """Make its data, and start it."""
        self.folder.mkdir(parents=True)
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        self.prepare()
        self.start()

    def start(self) -> None:
        """Start it on what it has, and return when it answers."""
        with open(self.folder / "server.log", "ab") as log:
            begins = log.tell()
            self.process = self.host.start(self.command(), log, environ=self.environment(), user=self.user)
        process = self.process
        eventually(
            lambda: process.poll() is not None or (self.sign in self.log[begins:] and self.listens()),
            f"{type(self).__name__} to answer",
            START_SECONDS,
        )
        assert process.poll() is None, f"{type(self).__name__} ended at once:\n{self.log[begins:][-3000:]}"

    @property
    def is_running(self) -> bool:
        """True from its start until its end."""
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "server.log").read_text(errors="replace")

    sign = ""
    """What it says once it is ready."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the data that it starts with."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return what starts it in the foreground."""

    def environment(self) -> Mapping[str, str]:
        """Return what it is started with."""
        return os.environ

    def listens(self) -> bool:
        """Return whether something accepts connections at its port."""

        def connect() -> bool:
            try:
                socket.create_connection((self.host.address, self.port), 1).close()
            except OSError:
                return False
            return True

        return self.host.call(connect)


class Postgres(Server):
    """The metastore, at postgresql://flowd@db/flowd; it does not wait for the disk."""

    user = "postgres"
    port = 5432
    sign = "ready to accept connections"

    def prepare(self) -> None:
        data = f"{self.folder}/data"
        initdb = program("initdb", *POSTGRES_PLACES, user=self.user)
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.host.run([initdb, f"--pgdata={data}", *options], user=self.user)
        with open(f"{data}/pg_hba.conf", "a") as access:
            access.write("host all flowd samenet scram-sha-256\n")

    def set_up(self) -> None:
        super().set_up()
        for statement in (f"CREATE ROLE flowd LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE flowd OWNER flowd"):
            psql = [program("psql", *POSTGRES_PLACES), "-h", str(self.folder), "-U", "postgres", "-X", "-c", statement]
            self.host.run(psql)

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "*",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "max_connections": "200",
        }
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [program("postgres", *POSTGRES_PLACES), "-D", f"{self.folder}/data", "-p", str(self.port), *chosen]


class Rabbitmq(Server):
    """The broker, at amqp://flowd@mq/flowd."""

    port = 5672
    sign = "Server startup complete"

    def prepare(self) -> None:
        program("rabbitmq-server", *RABBITMQ_PLACES)
        (self.folder / "environment").touch()
        (self.folder / "plugins").write_text("[].\n")
        settings = {
            "listeners.tcp.all": f"0.0.0.0:{self.port}",
            "log.console": "true",
            "log.file": "false",
            "default_user": "flowd",
            "default_pass": PASSWORD,
            "default_vhost": "flowd",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.folder / "rabbitmq.conf").write_text(lines)

    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),  # where the cookie is
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_CONF_ENV_FILE": f"{self.folder}/environment",
            "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins",
            "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{self.folder}/log",
            "RABBITMQ_PID_FILE": f"{self.folder}/pid",
            # One scheduler that does not spin: the machine is busy enough.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def command(self) -> Sequence[str]:
        return [program("rabbitmq-server", *RABBITMQ_PLACES)]


class Haproxy(Server):
    """The load balancer, with the very file that flowd ships."""

    port = 8080
    configuration = Path(__file__).parents[2] / "config" / "haproxy.cfg"

    def prepare(self) -> None:
        here = f"global\n    stats socket {self.folder}/stats\n    log stdout format raw local0\n"
        (self.folder / "here.cfg").write_text(here)

    def command(self) -> Sequence[str]:
        files = ("-f", f"{self.folder}/here.cfg", "-f", str(self.configuration))  # where to log: before who logs
        return [program("haproxy", "/usr/sbin"), "-db", *files]

    def servers_up(self, backend: str = "ready") -> set[str]:
        """Return the servers that it sends requests to."""
        rows = self._statistics()
        return {row["svname"] for row in rows if row["# pxname"] == backend and row["status"] == "UP"} - {"BACKEND"}

    def retries(self) -> int:
        """Return how often it has sent a request once more, to the same node or another."""
        whole = (row for row in self._statistics() if row["svname"] == "BACKEND")
        return sum(int(row["wretr"] or 0) + int(row["wredis"] or 0) for row in whole)

    def _statistics(self) -> list[dict[str, str]]:
        return list(csv.DictReader(self._ask("show stat").strip().splitlines()))

    def _ask(self, question: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(f"{self.folder}/stats")
            line.sendall(f"{question}\n".encode())
            return b"".join(iter(lambda: line.recv(65536), b"")).decode()
