"""ScheduleLag: how late the runs of a DAG are that is due every second."""

from dataclasses import dataclass

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import STANDARD, Layout
from bench.cluster.waiting import wait_until
from bench.figure import Figure, Unit
from bench.scenarios.journal import first_instructions
from bench.scenarios.scenario import Effort

FIRST_RUNS = 2
"""Left out: the first run after the DAG was unpaused is one that was due before, and the next meets cold caches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLag:
    """The DAG is unpaused for the measurement alone. One clock: all on this machine."""

    name: str = "schedule_lag"
    layout: Layout = STANDARD
    dag_ids: tuple[str, ...] = ("bench_every_second",)
    is_long: bool = False

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Nothing: the first runs are left out."""

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Let it be due so many times, and return the lags of the runs and of their first instructions."""
        wanted = effort.samples + FIRST_RUNS
        [dag_id] = self.dag_ids
        cluster.api.set_paused(dag_id, is_paused=False)
        try:
            wait_until(
                lambda: len(cluster.ledger.scheduled_runs(dag_id)) >= wanted,
                f"{wanted} runs of {dag_id}",
                seconds=wanted * 1.5 + 30,
                every=0.2,
            )
        finally:
            cluster.api.set_paused(dag_id, is_paused=True)
        runs = cluster.ledger.scheduled_runs(dag_id)[FIRST_RUNS:wanted]
        names = {run.run_id for run in runs}
        wait_until(
            lambda: names <= first_instructions(cluster.journal).keys(), f"the tasks of {len(names)} runs of {dag_id}"
        )
        first = first_instructions(cluster.journal)
        starts = tuple((run.started_at - run.due_at) * 1000 for run in runs)
        instructions = tuple((first[run.run_id] - run.due_at) * 1000 for run in runs)
        return [
            *_figures(self.name, cluster, "", "due to run started", starts, f"commit.{cluster.backend.metastore}"),
            *_figures(
                self.name, cluster, "first_", "due to first instruction", instructions, f"first.{cluster.backend}"
            ),
        ]


def _figures(
    name: str, cluster: Cluster, prefix: str, words: str, values: tuple[float, ...], against: str
) -> list[Figure]:
    return [
        Figure(
            scenario=name,
            metric=f"{prefix}p{quantile * 100:.0f}",
            backend=cluster.backend,
            words=f"p{quantile * 100:.0f} from {words}",
            method=f"due every second, {len(values)} runs",
            unit=Unit.MILLISECONDS,
            values=values,
            quantile=quantile,
            against=(against,),
        )
        for quantile in (0.5, 0.99)
    ]
