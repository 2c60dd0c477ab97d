"""Idle: what a node with every role costs that has nothing to do."""

import time
from dataclasses import dataclass

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import Layout
from bench.cluster.process_tree import tree_pss_mib
from bench.figure import Figure, Unit
from bench.scenarios.scenario import Effort

SETTLE_SECONDS = 6.0
"""Longer than the interval at which the DAG folder is scanned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """CPU and memory of one process with all its children, but not of the database and the broker."""

    name: str
    layout: Layout
    dags: int
    is_long: bool = False

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """All of them: idleness begins when they have been read."""
        return tuple(f"bench_idle_{number:03}" for number in range(self.dags))

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Run a Python task: what it leaves behind, a warm fork server, is part of idleness."""
        cluster.finish(cluster.trigger(self.dag_ids[0]))
        time.sleep(SETTLE_SECONDS)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Watch for a while."""
        before, begun = cluster.cpu(), time.monotonic()
        time.sleep(effort.idle_seconds)
        used, elapsed = cluster.cpu().since(before), time.monotonic() - begun
        parts = tree_pss_mib(cluster.pids)
        dags = "1 DAG" if self.dags == 1 else f"{self.dags} DAGs"
        nodes = {part: used[part] / elapsed * 100 for part in parts}
        return [
            Figure(
                scenario=self.name,
                metric="cpu",
                backend=cluster.backend,
                words=f"CPU, every role in one process, {dags}",
                method=f"watched for {elapsed:.0f} s, after a task",
                unit=Unit.PERCENT_OF_CORE,
                values=(sum(nodes.values()),),
                against=("core",),
                detail={"parts": {str(part): value for part, value in nodes.items()}},
            ),
            Figure(
                scenario=self.name,
                metric="pss",
                backend=cluster.backend,
                words=f"PSS, every role in one process, {dags}",
                method="once, after a task",
                unit=Unit.MEBIBYTES,
                values=(sum(parts.values()),),
                against=("bare_python",),
                detail={"parts": {str(part): value for part, value in parts.items()}},
            ),
        ]
