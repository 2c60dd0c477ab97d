"""Watched: what a task costs while people look on, over what it costs where nobody does."""

from dataclasses import dataclass

from bench.cluster.audience import audience
from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import STANDARD, Layout
from bench.cluster.place import ADMIN_PASSWORD
from bench.figure import Figure
from bench.scenarios.growth import growth_figures
from bench.scenarios.load import Load
from bench.scenarios.scenario import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The same load in turn with an audience and without: so what else the machine does hits both alike."""

    name: str
    load: Load
    listeners: int = 50
    layout: Layout = STANDARD
    is_long: bool = False

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """The DAGs of the load."""
        return self.load.dag_ids

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Run the load once."""
        self.load.run(cluster)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Run the load with and without; raise RuntimeError where the audience was not told of it."""
        alone, watched = [], []
        pages = (("/", "*"), (f"/dags/{self.dag_ids[0]}", self.dag_ids[0]))
        for _ in range(2 * effort.runs):
            alone.append(self.load.run(cluster))
            with audience(cluster.api.port, ADMIN_PASSWORD, listeners=self.listeners, pages=pages) as seen:
                watched.append(self.load.run(cluster))
            if seen.told < self.listeners or not seen.pages:
                raise RuntimeError(f"the audience was told {seen.told} times and read {seen.pages} pages; wanted more")
        return growth_figures(
            self.name,
            cluster,
            words=f"a task with {self.listeners} streams and {len(pages)} pages open, over none: {self.load.words}",
            method=f"medians of {len(watched)} runs each, in turn",
            before=(alone, self.load.tasks),
            after=(watched, self.load.tasks),
        )
