"""FirstInstruction: from sending a trigger to the first thing that the run's only task does."""

import time
from dataclasses import dataclass

from bench.cluster.api_client import Triggered
from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import STANDARD, Layout
from bench.figure import Figure, Unit
from bench.scenarios.journal import first_instructions
from bench.scenarios.scenario import Effort

PAUSE_SECONDS = 0.05
"""Between samples: the one before must not be under way any more."""

SAMPLES_PER_SAMPLE = 4
"""Runs for each of `Effort.samples`: one is cheap, and a 99th percentile needs many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstInstruction:
    """One run at a time of a DAG with one bash task, which writes down the time. One clock: all on this machine."""

    name: str = "trigger_to_first"
    layout: Layout = STANDARD
    dag_ids: tuple[str, ...] = ("bench_first",)
    is_long: bool = False

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Run it three times."""
        for _ in range(3):
            self._sample(cluster)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Return the median and the 99th percentile, by nearest rank."""
        runs = [self._sample(cluster) for _ in range(effort.samples * SAMPLES_PER_SAMPLE)]
        first = first_instructions(cluster.journal)
        sent = tuple((first[run.run_id] - run.sent_at) * 1000 for run in runs)
        answered = [(first[run.run_id] - run.answered_at) * 1000 for run in runs]
        return [
            Figure(
                scenario=self.name,
                metric=f"p{quantile * 100:.0f}",
                backend=cluster.backend,
                words=f"p{quantile * 100:.0f} from POST sent to first instruction",
                method=f"one run at a time, {len(runs)} runs",
                unit=Unit.MILLISECONDS,
                values=sent,
                quantile=quantile,
                against=(f"first.{cluster.backend}",),
                beside=("celery.first",),
                detail={"ms_from_answer": answered},
            )
            for quantile in (0.5, 0.99)
        ]

    def _sample(self, cluster: Cluster) -> Triggered:
        run = cluster.trigger(self.dag_ids[0])
        cluster.finish(run, every=0.005)
        time.sleep(PAUSE_SECONDS)
        return run
