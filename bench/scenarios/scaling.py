"""Scaling: the same loads on more schedulers and more workers."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import Layout, scaled
from bench.figure import Figure, Unit
from bench.limits.parallelism import IN_FLIGHT
from bench.scenarios.load import BASH_FAN, MANY_DAGS, NOOP_FAN
from bench.scenarios.scenario import Effort

_LOADS = (("bash", BASH_FAN, "spawn"), ("noop", NOOP_FAN, "fork"), ("many", MANY_DAGS, "spawn"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """So many schedulers and workers, each worker with its own slots."""

    schedulers: int
    workers: int
    is_long: bool = True

    @property
    def name(self) -> str:
        """As in `scale_2s_4w`."""
        return f"scale_{self.schedulers}s_{self.workers}w"

    @property
    def layout(self) -> Layout:
        """A node for each."""
        return scaled(self.schedulers, self.workers)

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """Those of all loads."""
        return tuple(dag_id for _, load, _ in _LOADS for dag_id in load.dag_ids)

    def runs_on(self, backend: Backend) -> bool:
        """Where several nodes can be, with a broker between them."""
        return backend is Backend.POSTGRES_AMQP

    def warm_up(self, cluster: Cluster) -> None:
        """Run each load once."""
        for _, load, _ in _LOADS:
            load.run(cluster)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Run each load one time after the other."""
        slots = IN_FLIGHT * self.workers
        figures = []
        for metric, load, limit in _LOADS:
            samples = [load.run(cluster) for _ in range(effort.runs)]
            figures.append(
                Figure(
                    scenario=self.name,
                    metric=f"rate_{metric}",
                    backend=cluster.backend,
                    words=load.words,
                    method=f"{slots} slots in all, median of {effort.runs} after 1 to warm up",
                    unit=Unit.PER_SECOND,
                    values=tuple(load.tasks / sample.seconds for sample in samples),
                    against=(limit,),
                    detail=load.detail(samples),
                )
            )
        return figures


ONE_OF_EACH = Scaling(schedulers=1, workers=1)
SCALINGS = (
    ONE_OF_EACH,
    Scaling(schedulers=1, workers=2),
    Scaling(schedulers=1, workers=4),
    Scaling(schedulers=2, workers=1),
    Scaling(schedulers=2, workers=2),
)


def gains(figures: Sequence[Figure]) -> list[Figure]:
    """Return each rate of a scaling as a multiple of the same rate on one scheduler and one worker."""
    alone = {(one.metric, one.backend): one for one in figures if one.scenario == ONE_OF_EACH.name}
    names = {scaling.name for scaling in SCALINGS if scaling is not ONE_OF_EACH}
    return [
        Figure(
            scenario=one.scenario,
            metric=one.metric.replace("rate_", "gain_"),
            backend=one.backend,
            words=f"the rate, over one scheduler and one worker: {one.words}",
            method=one.method,
            unit=Unit.TIMES,
            values=(one.value / alone[one.metric, one.backend].value,),
            against=("same",),
        )
        for one in figures
        if one.scenario in names and (one.metric, one.backend) in alone
    ]
