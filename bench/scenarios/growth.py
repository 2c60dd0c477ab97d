"""Growth: what a task, or a file, costs under one condition, as a multiple of what it costs under another."""

from collections.abc import Sequence
from statistics import median

from bench.cluster.cluster import Cluster
from bench.cluster.cpu import BROKER
from bench.figure import Figure, Unit
from bench.scenarios.load import Load, Sample

Samples = tuple[Sequence[Sample], int]
"""Samples, and how many tasks or files each has."""


def time_figure(scenario: str, metric: str, cluster: Cluster, load: Load, samples: Sequence[Sample]) -> Figure:
    """Return the milliseconds of a task of the load."""
    return Figure(
        scenario=scenario,
        metric=metric,
        backend=cluster.backend,
        words=f"a task, {load.words}",
        method=f"median of {len(samples)} runs",
        unit=Unit.MILLISECONDS,
        values=tuple(sample.seconds * 1000 / load.tasks for sample in samples),
        against=(f"hop.{cluster.backend}" if load.is_chain else "spawn",),
        detail=load.detail(samples),
    )


def growth_figures(
    scenario: str, cluster: Cluster, *, words: str, method: str, before: Samples, after: Samples, prefix: str = ""
) -> list[Figure]:
    """Return how many times the time and the CPU of one of them are as high after as before."""
    return [
        Figure(
            scenario=scenario,
            metric=f"{prefix}{metric}",
            backend=cluster.backend,
            words=f"{what} {words}",
            method=method,
            unit=Unit.TIMES,
            values=(cost(*after) / cost(*before),),
            against=("same",),
        )
        for metric, what, cost in (("growth", "time", _seconds), ("cpu_growth", "CPU", _cpu_seconds))
    ]


def _seconds(samples: Sequence[Sample], tasks: int) -> float:
    return median(sample.seconds for sample in samples) / tasks


def _cpu_seconds(samples: Sequence[Sample], tasks: int) -> float:
    # The broker is counted as a whole, with whatever else it does.
    return median(sum(used for part, used in sample.cpu.items() if part != BROKER) for sample in samples) / tasks
