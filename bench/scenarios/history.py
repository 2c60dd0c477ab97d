"""History: whether a task costs more once the metastore holds a great many finished ones."""

from dataclasses import dataclass

from bench.cluster.backend import Backend
from bench.cluster.cluster import Cluster
from bench.cluster.layout import HISTORY, Layout
from bench.figure import Figure
from bench.history.clone import clone_runs
from bench.scenarios.growth import growth_figures, time_figure
from bench.scenarios.load import BASH_FAN, SEQ40
from bench.scenarios.scenario import Effort

_LOADS = (("", BASH_FAN), ("chain_", SEQ40))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The same loads before and after; half of the history is of the one DAG, half of the other."""

    name: str = "history"
    layout: Layout = HISTORY
    dag_ids: tuple[str, ...] = (*BASH_FAN.dag_ids, *SEQ40.dag_ids)
    is_long: bool = True

    def runs_on(self, backend: Backend) -> bool:
        """On every one."""
        return True

    def warm_up(self, cluster: Cluster) -> None:
        """Run each load once."""
        for _, load in _LOADS:
            load.run(cluster)

    def measure(self, cluster: Cluster, effort: Effort) -> list[Figure]:
        """Measure, clone finished runs until there is history enough, start the nodes anew, and measure again."""
        before = [[load.run(cluster) for _ in range(effort.runs)] for _, load in _LOADS]
        cluster.stop()
        for _, load in _LOADS:
            copies = effort.history_tasks // len(_LOADS) // load.tasks
            clone_runs(cluster.place.database, load.dag_ids[0], copies=copies)
        cluster.start()
        self.warm_up(cluster)
        after = [[load.run(cluster) for _ in range(effort.runs)] for _, load in _LOADS]
        figures = []
        for (prefix, load), few, many in zip(_LOADS, before, after, strict=True):
            figures += [
                time_figure(self.name, f"{prefix}time_0", cluster, load, few),
                time_figure(self.name, f"{prefix}time", cluster, load, many),
                *growth_figures(
                    self.name,
                    cluster,
                    words=f"a task with {effort.history_tasks:,} finished ones, over with none: {load.words}",
                    method=f"medians of {effort.runs} runs",
                    before=(few, load.tasks),
                    after=(many, load.tasks),
                    prefix=prefix,
                ),
            ]
        return figures
