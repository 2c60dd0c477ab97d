"""A task's own dates: which runs of its DAG are without it. The rules are Airflow 3's."""

from flowd.domain.dag_run import DagRun
from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId


def absent_tasks(graph: Graph, run: DagRun) -> frozenset[TaskId]:
    """Return the tasks that the run is without: its logical date is before their start date or after their end date.

    A run without a logical date and the run of a backfill have them all. What waits for an absent task waits for what
    never ends, so a run that is left with nothing else is deadlocked.
    """
    date = run.logical_date
    if not graph.dated or date is None or run.backfill is not None:
        return frozenset()
    return frozenset(
        task.task_id
        for task in graph.dated
        if (task.start_date is not None and date < task.start_date)
        or (task.end_date is not None and date > task.end_date)
    )
