"""fail_fast: the first task of a run that fails ends all others but teardowns."""

from collections.abc import Mapping
from datetime import datetime

from flowd.db.ledger import advance, write
from flowd.db.transaction import Transaction
from flowd.domain.graph import Graph
from flowd.domain.ids import RunKey
from flowd.domain.states import TaskState
from flowd.domain.task_events import RunStopped
from flowd.domain.task_spec import TaskRole


async def stop_after_failure(tx: Transaction, runs: Mapping[RunKey, Graph], now: datetime) -> None:
    """Stop the rest of each run of a fail_fast DAG in which a task has just failed.

    As in Airflow what runs ends as failed, and its process is killed at its worker's next heartbeat; what has not begun
    is skipped. Teardowns go on. The caller tells the downstreams of what is ended here, in the same transaction.
    """
    hasty = {key: graph for key, graph in runs.items() if graph.dag.fail_fast}
    if not hasty:
        return
    ended = await advance.ended_instances(tx, list(hasty))
    failed = {one.run: one.ended_at or now for one in ended if one.state is TaskState.FAILED}
    for key, failed_at in sorted(failed.items()):
        tasks = hasty[key].tasks
        left = [
            instance
            for instance in await advance.unfinished_instances(tx, key)
            if instance.task_id in tasks and tasks[instance.task_id].role is not TaskRole.TEARDOWN
        ]
        stopped = [(one, TaskState.FAILED if one.state is TaskState.RUNNING else TaskState.SKIPPED) for one in left]
        await write.apply(tx, [(one, RunStopped(outcome)) for one, outcome in stopped], max(now, failed_at))
