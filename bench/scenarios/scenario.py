"""Scenario: what all scenarios have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bench.cluster.cluster import Cluster
from bench.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured: runs, samples of what is short, and how long idleness is watched."""

    runs: int = 3
    samples: int = 30
    idle_seconds: float = 10.0


QUICK = Effort(runs=1, samples=10, idle_seconds=3.0)


class Scenario(Protocol):
    """One thing to measure."""

    @property
    def dag_id(self) -> str:
        """The DAG it runs."""
        ...

    def warm_up(self, cluster: Cluster) -> None:
        """Do once what is measured, so that every cache is as full as it gets."""
        ...

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Return the figures; raise WaitedInVain or RuntimeError where a run does not succeed."""
        ...


Scenarios = Mapping[str, Scenario]
