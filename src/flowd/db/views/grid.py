"""The states of whole runs, counted in the metastore: what a grid and a graph of a DAG show."""

import json
from collections.abc import Sequence

from flowd.db.transaction import Transaction

TaskCounts = dict[str, dict[str, int]]
"""How many instances of each task are in each state."""


async def states_by_task(tx: Transaction, runs: Sequence[int]) -> dict[int, TaskCounts]:
    """Return for each of these runs, by its key, how many instances of each of its tasks are in each state."""
    found: dict[int, TaskCounts] = {run: {} for run in runs}
    if runs:
        rows = await tx.execute(
            f"SELECT run, task_id, state, COUNT(*) FROM task_instance WHERE run IN {tx.dialect.keys()}"
            " GROUP BY run, task_id, state",
            {"keys": json.dumps(list(runs))},
        )
        for run, task_id, state, number in rows:
            found[run].setdefault(task_id, {})[state] = int(number)
    return found
