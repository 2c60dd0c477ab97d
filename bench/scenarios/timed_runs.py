"""TimedRuns: whole runs of a DAG, from the moment they were queued to their end, both by the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from bench.cluster.cluster import Cluster
from bench.cluster.ledger import TaskTimes
from bench.cluster.process_tree import CpuSeconds, cpu_seconds
from bench.figure import Figure, Unit
from bench.scenarios.scenario import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRuns:
    """Runs of `dag_id`, as tasks per second or as milliseconds per task. `{backend}` in `against` is filled in.

    In a chain (`is_chain`) each task waits for the one before, and `advance` is the time between the two.
    """

    name: str
    dag_id: str
    tasks: int
    words: str
    unit: Unit
    against: tuple[str, ...]
    is_chain: bool = False

    def warm_up(self, cluster: Cluster) -> None:
        """Run the DAG once."""
        cluster.finish(cluster.trigger(self.dag_id))

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Run the DAG one run after the other."""
        seconds: list[float] = []
        used: list[CpuSeconds] = []
        tasks: list[list[TaskTimes]] = []
        for _ in range(effort.runs):
            before = cpu_seconds(cluster.pids)
            run = cluster.trigger(self.dag_id)
            times = cluster.finish(run)
            used.append(cpu_seconds(cluster.pids).since(before))
            assert times.ended_at is not None
            seconds.append(times.ended_at - times.queued_at)
            tasks.append(cluster.ledger.tasks(run.dag_id, run.run_id))
        if self.unit is Unit.PER_SECOND:
            values = [self.tasks / taken for taken in seconds]
        else:
            values = [taken * 1000 / self.tasks for taken in seconds]
        return [
            Figure(
                scenario=self.name,
                backend=cluster.backend,
                words=self.words,
                unit=self.unit,
                values=tuple(values),
                against=tuple(name.format(backend=cluster.backend) for name in self.against),
                detail={
                    "cpu_ms_per_task": {
                        "nodes": median(one.nodes for one in used) * 1000 / self.tasks,
                        "children": median(one.children for one in used) * 1000 / self.tasks,
                    },
                    "step_ms": steps_in_ms(tasks, is_chain=self.is_chain),
                },
            )
        ]


def steps_in_ms(runs: Sequence[Sequence[TaskTimes]], *, is_chain: bool) -> dict[str, float]:
    """Return the median milliseconds of each step of a task; in a fan the first two hold the waiting for a slot."""
    tasks = [one for run in runs for one in run]
    steps = {
        "admit": [one.queued_at - one.scheduled_at for one in tasks],
        "claim": [one.started_at - one.queued_at for one in tasks],
        "execute": [one.ended_at - one.started_at for one in tasks],
    }
    if is_chain:
        steps["advance"] = [after.scheduled_at - before.ended_at for run in runs for before, after in pairwise(run)]
    return {name: median(values) * 1000 for name, values in steps.items()}
