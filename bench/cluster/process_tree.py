"""What nodes and all their descendants use: CPU seconds and proportional memory, by what the processes are for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum

import psutil

_MIB = 1024 * 1024
_KEEPER = "flowd.child.keeper"


class Part(StrEnum):
    """A kind of process. What the keeper forks (tasks, parsers, fork servers) is `children`."""

    NODE = "node"
    KEEPER = "keeper"
    CHILDREN = "children"


def tree_cpu_seconds(pids: Sequence[int]) -> dict[Part, float]:
    """Return the CPU used so far by the trees whose roots are `pids`, with that of descendants already reaped."""
    used = dict.fromkeys(Part, 0.0)
    for part, process in _processes(pids):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used[part] += times.user + times.system
            # Reaped ones are in the times of who reaped them; a live one becomes so later: nothing is counted twice.
            used[Part.CHILDREN] += times.children_user + times.children_system
    return used


def tree_pss_mib(pids: Sequence[int]) -> dict[Part, float]:
    """Return the proportional set size of the trees: pages shared by n processes count a nth in each."""
    found = dict.fromkeys(Part, 0.0)
    for part, process in _processes(pids):
        with suppress(psutil.NoSuchProcess):
            found[part] += process.memory_full_info().pss / _MIB
    return found


def thread_cpu_seconds(pid: int, thread: int) -> float | None:
    """Return the CPU of one thread of a process of this machine, None where there is no such thread."""
    with suppress(psutil.Error):
        for one in psutil.Process(pid).threads():
            if one.id == thread:
                return float(one.user_time + one.system_time)
    return None


def process_cpu_seconds(pid: int) -> float | None:
    """Return the CPU of one process of this machine, None where there is none."""
    with suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return None


def _processes(pids: Sequence[int]) -> Iterator[tuple[Part, psutil.Process]]:
    for pid in pids:
        node = psutil.Process(pid)
        yield Part.NODE, node
        # A fork server has its keeper's command line, but is no child of the node.
        keepers = {one.pid for one in node.children() if _is_keeper(one)}
        for process in node.children(recursive=True):
            yield Part.KEEPER if process.pid in keepers else Part.CHILDREN, process


def _is_keeper(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return _KEEPER in " ".join(process.cmdline())
    return False


def sum_of(parts: Mapping[Part, float]) -> float:
    """Return the sum over all parts."""
    return sum(parts.values())
