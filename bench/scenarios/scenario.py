"""Scenario: what all scenarios have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import Layout
from bench.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured: runs, samples of what is short, how long idleness is watched, and how much history."""

    runs: int = 3
    samples: int = 30
    idle_seconds: float = 10.0
    history_tasks: int = 1_000_000


QUICK = Effort(runs=1, samples=5, idle_seconds=2.0, history_tasks=2_000)


class Scenario(Protocol):
    """One thing to measure."""

    @property
    def name(self) -> str:
        """What people ask for it by."""
        ...

    @property
    def layout(self) -> Layout:
        """The nodes and DAG files it needs."""
        ...

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """The DAGs that the nodes must know before it begins."""
        ...

    @property
    def is_long(self) -> bool:
        """True where it is measured only when asked for, by `--full` or by name."""
        ...

    def runs_on(self, backend: Backend) -> bool:
        """Say whether it is measured on the backend."""
        ...

    def warm_up(self, cluster: Cluster) -> None:
        """Do once what is measured, so that every cache is as full as it gets."""
        ...

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Return the figures; raise WaitedInVain or RuntimeError where a run does not succeed."""
        ...


Scenarios = Mapping[str, Scenario]
