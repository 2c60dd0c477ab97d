"""Boot: from the start of the process to the moment at which every role is ready."""

from dataclasses import dataclass

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import Layout
from bench.cluster.process_tree import sum_of, tree_cpu_seconds
from bench.figure import Figure, Unit
from bench.scenarios.scenario import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """A node with every role, on a metastore that has its schema already."""

    name: str
    layout: Layout
    dag_ids: tuple[str, ...]
    words: str
    is_long: bool = False

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Nothing: the node has been started once, and so the files are in memory."""

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Stop and start the node."""
        seconds, cpu = [], []
        for _ in range(effort.runs):
            cluster.stop()
            seconds.append(cluster.start())
            cpu.append(sum_of(tree_cpu_seconds(cluster.pids)))
        return [
            Figure(
                scenario=self.name,
                metric=metric,
                backend=cluster.backend,
                words=f"{words}, {self.words}",
                method=f"median of {effort.runs} starts",
                unit=Unit.MILLISECONDS,
                values=tuple(value * 1000 for value in values),
                against=("cold_alone",),
            )
            for metric, words, values in (
                ("time", "start to ready", seconds),
                ("cpu", "CPU from start to ready", cpu),
            )
        ]
