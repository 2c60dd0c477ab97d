"""RunSize: whether a task of a large run costs more than one of a small run."""

from dataclasses import dataclass

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import Layout
from bench.figure import Figure
from bench.scenarios.growth import growth_figures, time_figure
from bench.scenarios.load import sized
from bench.scenarios.scenario import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSize:
    """A run of `small` tasks beside one of `large`, which is repeated less often."""

    name: str
    layout: Layout
    small: int
    large: int
    is_long: bool = False

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """One DAG for each size."""
        return (*sized(self.small).dag_ids, *sized(self.large).dag_ids)

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Run the small one three times."""
        for _ in range(3):
            sized(self.small).run(cluster)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Run both sizes."""
        small, large = sized(self.small), sized(self.large)
        few = [small.run(cluster) for _ in range(effort.runs * 3)]
        many = [large.run(cluster) for _ in range(1 if self.large > 1_000 else effort.runs)]
        return [
            time_figure(self.name, f"time_{self.small}", cluster, small, few),
            time_figure(self.name, f"time_{self.large}", cluster, large, many),
            *growth_figures(
                self.name,
                cluster,
                words=f"of a run of {self.large:,} tasks, over one of {self.small:,}",
                method=f"medians of {len(many)} and {len(few)} runs",
                before=(few, self.small),
                after=(many, self.large),
            ),
        ]
