"""KeeperCpu: the CPU seconds of a keeper, of its fork servers and of the tasks that have ended, told apart."""

from dataclasses import dataclass
from pathlib import Path

_NANOSECONDS = 1_000_000_000
_TICKS = 100


@dataclass(frozen=True, slots=True)
class KeeperCpu:
    """CPU seconds used so far. Tasks count once they have been reaped."""

    keeper: float
    servers: float
    tasks: float

    def since(self, earlier: "KeeperCpu") -> "KeeperCpu":
        """Return what was used in between."""
        return KeeperCpu(self.keeper - earlier.keeper, self.servers - earlier.servers, self.tasks - earlier.tasks)


def keeper_cpu(pid: int) -> KeeperCpu:
    """Return it for the keeper `pid`; call it while no task runs, for what lives below a keeper is then a server."""
    servers = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return KeeperCpu(keeper=_own(pid), servers=sum(map(_own, servers)), tasks=_reaped(pid) + sum(map(_reaped, servers)))


def _own(pid: int) -> float:
    # To the nanosecond, where /proc/pid/stat counts hundredths of a second.
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / _NANOSECONDS


def _reaped(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS
