"""FirstInstruction: from sending a trigger to the first thing that the run's only task does."""

import time
from dataclasses import dataclass

from bench.cluster.api_client import Triggered
from bench.cluster.cluster import Cluster
from bench.figure import Figure, Unit
from bench.scenarios.scenario import Effort

PAUSE_SECONDS = 0.05
"""Between samples: the one before must not be under way any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstInstruction:
    """One run at a time of a DAG with one bash task, which writes down the time. One clock: all on this machine."""

    name: str
    dag_id: str

    def warm_up(self, cluster: Cluster) -> None:
        """Run it three times."""
        for _ in range(3):
            self._sample(cluster)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Return the median and the 99th percentile, by nearest rank."""
        runs = [self._sample(cluster) for _ in range(effort.samples)]
        starts = dict(line.split() for line in cluster.journal.read_text().splitlines())
        first = {run.run_id: float(starts[run.run_id]) for run in runs}
        sent = tuple((first[run.run_id] - run.sent_at) * 1000 for run in runs)
        answered = [(first[run.run_id] - run.answered_at) * 1000 for run in runs]
        return [
            Figure(
                scenario=self.name,
                backend=cluster.backend,
                words=f"p{quantile * 100:.0f} from POST sent to first instruction",
                unit=Unit.MILLISECONDS,
                values=sent,
                quantile=quantile,
                against=(f"first.{cluster.backend}",),
                detail={"ms_from_answer": answered},
            )
            for quantile in (0.5, 0.99)
        ]

    def _sample(self, cluster: Cluster) -> Triggered:
        run = cluster.trigger(self.dag_id)
        cluster.finish(run, every=0.005)
        time.sleep(PAUSE_SECONDS)
        return run
