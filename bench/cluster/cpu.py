"""CpuMeter: the CPU that a cluster uses, by the kind of process, its servers included. Loads of neighbours barely show
in it, so it is what can be compared on a machine that does other things as well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psutil

from bench.cluster.backend import Broker, Metastore
from bench.cluster.ledger import Ledger
from bench.cluster.place import Place
from bench.cluster.process_tree import Part, process_cpu_seconds, thread_cpu_seconds, tree_cpu_seconds

DATABASE = "database"
BROKER = "broker"


@dataclass(frozen=True, slots=True)
class CpuReading:
    """CPU seconds so far: of each part of the nodes, and of each process or thread of the servers."""

    parts: Mapping[Part, float]
    servers: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def since(self, earlier: "CpuReading") -> dict[str, float]:
        """Return what each part used in between; a server that cannot be watched from here is left out."""
        used = {str(part): seconds - earlier.parts[part] for part, seconds in self.parts.items()}
        for server, now in self.servers.items():
            before = earlier.servers.get(server, {})
            used[server] = sum(seconds - before.get(each, 0.0) for each, seconds in now.items())
        return used


class CpuMeter:
    """Reads the CPU of the nodes, of the database's own processes for them, and of the whole broker.

    PostgreSQL's backends and MariaDB's threads are told by the server itself: those of this metastore alone are
    counted, but neither the bench's nor what the server does in the background. SQLite works inside the node.
    """

    def __init__(self, place: Place, ledger: Ledger) -> None:
        self._place = place
        self._ledger = ledger

    def read(self, pids: Sequence[int]) -> CpuReading:
        """Read now."""
        servers: dict[str, Mapping[int, float]] = {}
        if database := self._database():
            servers[DATABASE] = database
        if broker := self._broker():
            servers[BROKER] = broker
        return CpuReading(tree_cpu_seconds(pids), servers)

    def _database(self) -> dict[int, float]:
        match self._place.backend.metastore:
            case Metastore.SQLITE:
                return {}
            case Metastore.POSTGRES:
                found = {
                    pid: process_cpu_seconds(pid) for pid in self._ledger.servants() if _is_called("postgres", pid)
                }
            case Metastore.MARIADB:
                server = [
                    one.pid for one in psutil.process_iter(["name"]) if one.info["name"] in ("mariadbd", "mysqld")
                ]
                found = {
                    thread: thread_cpu_seconds(pid, thread) for thread in self._ledger.servants() for pid in server
                }
        return {each: seconds for each, seconds in found.items() if seconds is not None}

    def _broker(self) -> dict[int, float]:
        match self._place.backend.broker:
            case Broker.DATABASE:
                pids: Sequence[int] = ()
            case Broker.RABBITMQ:
                pids = [one.pid for one in psutil.process_iter(["name"]) if one.info["name"] == "beam.smp"]
            case Broker.SQS:
                pids = self._place.broker_pids
        return {pid: seconds for pid in pids if (seconds := process_cpu_seconds(pid)) is not None}


def _is_called(name: str, pid: int) -> bool:
    return psutil.pid_exists(pid) and str(psutil.Process(pid).name()).startswith(name)
