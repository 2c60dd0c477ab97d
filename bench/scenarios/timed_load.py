"""TimedLoad: a load again and again, as tasks per second or as milliseconds per task."""

from dataclasses import dataclass

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import STANDARD, Layout
from bench.figure import Figure, Unit
from bench.limits.parallelism import IN_FLIGHT
from bench.scenarios.load import Load, Sample
from bench.scenarios.scenario import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedLoad:
    """`{backend}` and `{metastore}` in `against` are filled in."""

    name: str
    load: Load
    unit: Unit
    against: tuple[str, ...]
    beside: tuple[str, ...] = ()
    layout: Layout = STANDARD
    is_long: bool = False

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """Those of the load."""
        return self.load.dag_ids

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Run the load once."""
        self.load.run(cluster)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Run the load one time after the other."""
        samples = [self.load.run(cluster) for _ in range(effort.runs)]
        is_rate = self.unit is Unit.PER_SECOND
        names = {"backend": str(cluster.backend), "metastore": str(cluster.backend.metastore)}
        return [
            Figure(
                scenario=self.name,
                metric="rate" if is_rate else "time",
                backend=cluster.backend,
                words=self.load.words if is_rate else f"a task, {self.load.words}",
                method=repeated(effort.runs),
                unit=self.unit,
                values=tuple(map(self.rate if is_rate else self.milliseconds, samples)),
                against=tuple(name.format(**names) for name in self.against),
                beside=self.beside,
                detail=self.load.detail(samples),
            )
        ]

    def rate(self, sample: Sample) -> float:
        """Return tasks per second."""
        return self.load.tasks / sample.seconds

    def milliseconds(self, sample: Sample) -> float:
        """Return milliseconds per task."""
        return sample.seconds * 1000 / self.load.tasks


def repeated(runs: int) -> str:
    """Return the method in words."""
    return f"{IN_FLIGHT} slots a worker, median of {runs} after 1 to warm up"
