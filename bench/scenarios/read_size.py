"""ReadSize: whether a file of a large folder, or a task of a large DAG, takes longer to be read than one of a small."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.large_dags import run_of_folder
from bench.cluster.layout import Layout
from bench.cluster.process_tree import tree_cpu_seconds
from bench.figure import Figure, Unit
from bench.scenarios.growth import growth_figures
from bench.scenarios.load import Sample
from bench.scenarios.scenario import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSize:
    """`write` fills an empty folder with so many of `what`; the node starts then, and is ready once it has read all.

    With `is_due` each file has a paused DAG with a run that is due, and it is also measured how long these take, from
    when all are unpaused.
    What a node needs to be ready where the folder is empty is taken off.
    """

    name: str
    write: Callable[[Path, int], None]
    what: str
    layout: Layout
    small: int
    large: int
    is_due: bool = False
    is_long: bool = True

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """None: the folder is empty at first."""
        return ()

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Nothing: the node has been started once, and so its modules are in memory."""

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Read both sizes once: what has been read is known from then on."""
        empty, _ = self._go(cluster, 0)
        small, few_runs = self._go(cluster, self.small)
        large, many_runs = self._go(cluster, self.large)
        found = self._figures(cluster, "read", _beyond(small, empty), _beyond(large, empty))
        if self.is_due:
            found += self._figures(cluster, "run", few_runs, many_runs)
        return found

    def _go(self, cluster: Cluster, size: int) -> tuple[Sample, Sample]:
        """Return what it took a node to be ready, and then what its DAGs' runs took."""
        cluster.stop()
        for file in cluster.place.dags.glob("*.py"):
            file.unlink()
        if size:
            self.write(cluster.place.dags, size)
        read = Sample(seconds=cluster.start(), cpu=_cpu(cluster), chains=[])
        if not size or not self.is_due:
            return read, read
        before = cluster.cpu()
        cluster.api.unpause_all()
        runs = cluster.finish_many(run_of_folder(size), size)
        ended_at = max(run.ended_at or 0.0 for run in runs)
        cpu = cluster.cpu().since(before)
        return read, Sample(seconds=ended_at - min(run.queued_at for run in runs), cpu=cpu, chains=[])

    def _figures(self, cluster: Cluster, prefix: str, small: Sample, large: Sample) -> list[Figure]:
        words = f"to {prefix} a {self.what}"
        costs = [
            Figure(
                scenario=self.name,
                metric=f"{prefix}_time_{size}",
                backend=cluster.backend,
                words=f"{words} of {size:,}",
                method="once",
                unit=Unit.MILLISECONDS,
                values=(sample.seconds * 1000 / size,),
                against=("fork_sdk",) if prefix == "read" else ("spawn",),
            )
            for size, sample in ((self.small, small), (self.large, large))
        ]
        return costs + growth_figures(
            self.name,
            cluster,
            words=f"{words} of {self.large:,}, over one of {self.small:,}",
            method="once each",
            before=([small], self.small),
            after=([large], self.large),
            prefix=f"{prefix}_",
        )


def _cpu(cluster: Cluster) -> dict[str, float]:
    return {str(part): seconds for part, seconds in tree_cpu_seconds(cluster.pids).items()}


def _beyond(sample: Sample, rest: Sample) -> Sample:
    cpu = {part: seconds - rest.cpu[part] for part, seconds in sample.cpu.items()}
    return Sample(seconds=sample.seconds - rest.seconds, cpu=cpu, chains=[])
