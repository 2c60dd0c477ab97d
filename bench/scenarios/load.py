"""Loads: runs of one DAG or of many at once, from the moment they were queued to the last end, by the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from bench.cluster.cluster import Cluster
from bench.cluster.ledger import RunTimes, TaskTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One go of a load: how long it took, the CPU of each part meanwhile, and the steps of every task, by DAG."""

    seconds: float
    cpu: dict[str, float]
    chains: list[list[TaskTimes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """DAGs that are triggered at once and have `tasks` tasks in all. In a chain each task waits for the one before."""

    words: str
    dag_ids: tuple[str, ...]
    tasks: int
    is_chain: bool = False

    def run(self, cluster: Cluster) -> Sample:
        """Run it to its end; raise WaitedInVain or RuntimeError where it does not succeed."""
        before = cluster.cpu()
        run_id, runs = self._go(cluster)
        cpu = cluster.cpu().since(before)
        ends = [run.ended_at for run in runs if run.ended_at is not None]
        chains = [cluster.ledger.tasks(dag_id, run_id) for dag_id in self.dag_ids]
        return Sample(seconds=max(ends) - min(run.queued_at for run in runs), cpu=cpu, chains=chains)

    def detail(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """Return where the CPU and the time of a task went, in milliseconds."""
        chains = [chain for sample in samples for chain in sample.chains]
        return {
            "cpu_ms_per_task": {
                part: median(sample.cpu[part] for sample in samples) * 1000 / self.tasks for part in samples[0].cpu
            },
            "step_ms": steps_in_ms(chains, is_chain=self.is_chain),
        }

    def _go(self, cluster: Cluster) -> tuple[str, list[RunTimes]]:
        if len(self.dag_ids) == 1:
            run = cluster.trigger(self.dag_ids[0])
            return run.run_id, [cluster.finish(run)]
        run_id = cluster.trigger_all(self.dag_ids)
        return run_id, cluster.finish_all(run_id)


SEQ40 = Load(words="40 Python tasks of fibo(10) in a row", dag_ids=("bench_seq40",), tasks=40, is_chain=True)
SEQ10 = Load(words="10 Python tasks of fibo(33) in a row", dag_ids=("bench_seq10",), tasks=10, is_chain=True)
BASH_FAN = Load(words="bash tasks, 1 -> 500 x true -> 1", dag_ids=("bench_bash_fan",), tasks=502)
NOOP_FAN = Load(words="Python no-ops, 500 at once", dag_ids=("bench_noop_fan",), tasks=500)
MANY_DAGS = Load(
    words="bash tasks, 50 DAGs of 10 in a row at once",
    dag_ids=tuple(f"bench_many_{number:02}" for number in range(50)),
    tasks=500,
    is_chain=True,
)


def sized(tasks: int) -> Load:
    """Return a run of so many bash tasks, 1 -> many -> 1."""
    return Load(words=f"bash tasks, 1 -> {tasks - 2:,} x true -> 1", dag_ids=(f"bench_size_{tasks}",), tasks=tasks)


def mapped(items: int) -> Load:
    """Return a run of two Python tasks mapped over so many items, the second over the results of the first."""
    words = f"Python tasks, 1 -> {items:,} mapped -> {items:,} mapped over their results -> 1"
    return Load(words=words, dag_ids=(f"bench_mapped_{items}",), tasks=2 * items + 2)


def grouped(tasks: int) -> Load:
    """Return a run of so many bash tasks in nested groups."""
    words = f"bash tasks, {tasks:,} in groups of three levels"
    return Load(words=words, dag_ids=(f"bench_grouped_{tasks}",), tasks=tasks)


def steps_in_ms(chains: Sequence[Sequence[TaskTimes]], *, is_chain: bool) -> dict[str, float]:
    """Return the median milliseconds of each step of a task; in a fan the first two hold the waiting for a slot."""
    tasks = [one for chain in chains for one in chain]
    steps = {
        "admit": [one.queued_at - one.scheduled_at for one in tasks],
        "claim": [one.started_at - one.queued_at for one in tasks],
        "execute": [one.ended_at - one.started_at for one in tasks],
    }
    if is_chain:
        steps["advance"] = [
            after.scheduled_at - before.ended_at for chain in chains for before, after in pairwise(chain)
        ]
    return {name: median(values) * 1000 for name, values in steps.items()}
