"""RunSize: whether a task of a large run costs more than one of a small run."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import Layout
from bench.figure import Figure
from bench.scenarios.growth import growth_figures, time_figure
from bench.scenarios.load import Load, sized
from bench.scenarios.scenario import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSize:
    """A run of size `small` beside one of size `large`, which is repeated less often where it `takes_long`."""

    name: str
    layout: Layout
    small: int
    large: int
    load_of: Callable[[int], Load] = sized
    takes_long: bool = False
    is_long: bool = False

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """One DAG for each size."""
        return (*self.load_of(self.small).dag_ids, *self.load_of(self.large).dag_ids)

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Run the small one, three times where that is quick."""
        for _ in range(1 if self.takes_long else 3):
            self.load_of(self.small).run(cluster)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Run both sizes."""
        small, large = self.load_of(self.small), self.load_of(self.large)
        few = [small.run(cluster) for _ in range(effort.runs if self.takes_long else effort.runs * 3)]
        many = [large.run(cluster) for _ in range(1 if self.takes_long else effort.runs)]
        return [
            time_figure(self.name, f"time_{self.small}", cluster, small, few),
            time_figure(self.name, f"time_{self.large}", cluster, large, many),
            *growth_figures(
                self.name,
                cluster,
                words=f"a task of a run of {large.tasks:,} tasks, over one of {small.tasks:,}",
                method=f"medians of {len(many)} and {len(few)} runs",
                before=(few, small.tasks),
                after=(many, large.tasks),
            ),
        ]
