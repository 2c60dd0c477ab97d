"""Idle: what nodes cost that have nothing to do."""

import time
from dataclasses import dataclass

from bench.cluster.cluster import Cluster
from bench.cluster.process_tree import cpu_seconds, pss_mib
from bench.figure import Figure, Unit
from bench.scenarios.scenario import Effort

SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """CPU and memory of the nodes with all their children, but not of the database and the broker."""

    name: str
    dag_id: str

    def warm_up(self, cluster: Cluster) -> None:
        """Run some tasks: what they leave behind, as a warm fork server, is part of idleness."""
        cluster.finish(cluster.trigger(self.dag_id))
        time.sleep(SETTLE_SECONDS)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Watch for a while."""
        before, begun = cpu_seconds(cluster.pids), time.monotonic()
        time.sleep(effort.idle_seconds)
        used, elapsed = cpu_seconds(cluster.pids).since(before), time.monotonic() - begun
        return [
            Figure(
                scenario=self.name,
                backend=cluster.backend,
                words="CPU",
                unit=Unit.PERCENT_OF_CORE,
                values=(used.total / elapsed * 100,),
                against=("core",),
                detail={"nodes": used.nodes / elapsed * 100, "children": used.children / elapsed * 100},
            ),
            Figure(
                scenario=self.name,
                backend=cluster.backend,
                words="PSS",
                unit=Unit.MEBIBYTES,
                values=(pss_mib(cluster.pids),),
                against=("bare_python",),
            ),
        ]
