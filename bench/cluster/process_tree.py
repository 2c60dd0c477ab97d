"""What nodes and all their descendants use: CPU seconds and proportional memory."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """CPU used so far: by the nodes themselves, and by the keepers, fork servers and tasks under them."""

    nodes: float
    children: float

    def since(self, earlier: "CpuSeconds") -> "CpuSeconds":
        """Return what was used in between."""
        return CpuSeconds(self.nodes - earlier.nodes, self.children - earlier.children)

    @property
    def total(self) -> float:
        """Of both."""
        return self.nodes + self.children


def cpu_seconds(pids: Sequence[int]) -> CpuSeconds:
    """Return the CPU of the trees whose roots are `pids`, with that of the descendants that have been reaped."""
    nodes = children = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        nodes += times.user + times.system
        children += times.children_user + times.children_system
    for process in _descendants(pids):
        # Reaped ones are in the times of who reaped them; a live one becomes so later: nothing is counted twice.
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            children += times.user + times.system + times.children_user + times.children_system
    return CpuSeconds(nodes, children)


def pss_mib(pids: Sequence[int]) -> float:
    """Return the proportional set size of the trees: pages shared by n processes count a nth in each."""
    total = 0
    for process in [*map(psutil.Process, pids), *_descendants(pids)]:
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / _MIB


def _descendants(pids: Sequence[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        yield from psutil.Process(pid).children(recursive=True)
