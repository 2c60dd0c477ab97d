"""more_instances: the making of a mapped task's instances beside those that it has, and the word of it to its run."""

from flowd.db.ledger import mapped
from flowd.db.transaction import Transaction
from flowd.domain.run_plan import Growth
from flowd.domain.tally import Tally
from flowd.domain.task_instance import TaskInstance
from flowd.roles.scheduler.run_progress import RunProgress


async def more_instances(
    tx: Transaction, progress: RunProgress, like: TaskInstance, indexes: range, tally: Tally
) -> list[TaskInstance]:
    """Make undecided instances of the task of `like` with these map indexes, and return them in their order."""
    retries = progress.graph.tasks[like.task_id].retry.retries
    made = await mapped.make(tx, like, indexes, retries=retries, tally=tally)
    progress.made += len(made)
    if made:
        progress.growths.append(Growth(task_id=like.task_id, by=len(made)))
    return made
