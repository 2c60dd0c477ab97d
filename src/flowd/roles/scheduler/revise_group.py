"""revise_group: a mapped group that has expanded before, and has another number of items now."""

from collections.abc import Iterator

from flowd.db.ledger import advance
from flowd.db.transaction import Transaction
from flowd.domain.ids import UNMAPPED, TaskId
from flowd.domain.states import TaskState
from flowd.domain.tally import Place, Tally
from flowd.domain.task_events import Decided
from flowd.roles.scheduler.more_instances import more_instances
from flowd.roles.scheduler.run_progress import RunProgress

_REMOVED = Decided(TaskState.REMOVED)


async def revise_group(tx: Transaction, progress: RunProgress, group: str, length: int) -> set[Place]:
    """Remove what is undecided beyond `length`, and make what is missing; return the places that were removed.

    All instances of the group's tasks are among the members of `progress`. What has run beyond the length stays as it
    ended. The places made are to be judged in the next step.
    """
    expanded = {task_id: rows for task_id, rows in _members(progress, group) if _is_expanded(rows)}
    undecided = [
        row.instance
        for rows in expanded.values()
        for row in rows
        if progress.is_undecided(row.instance) and (row.instance.task_id, row.instance.map_index) not in progress.events
    ]
    for rows in expanded.values():
        for row in rows:
            if progress.place((row.instance.task_id, row.instance.map_index)) is None:
                progress.know(row)
    removed: set[Place] = set()
    for instance in undecided:
        if instance.map_index >= length:
            removed.add((instance.task_id, instance.map_index))
            progress.happen(instance, _REMOVED)
    progress.events |= dict.fromkeys(removed, _REMOVED)
    # As in Airflow: where nothing of the group is to run, it is not looked at.
    for task_id, rows in expanded.items() if undecided else ():
        await _make_missing(tx, progress, task_id, range(len(rows), length))
    for task_id in expanded:
        # They are not all of them any more.
        del progress.members[task_id]
    return removed


def _members(progress: RunProgress, group: str) -> Iterator[tuple[TaskId, list[advance.Row]]]:
    for task_id in progress.graph.mapped_groups[group]:
        yield task_id, progress.members.get(task_id, [])


def _is_expanded(rows: list[advance.Row]) -> bool:
    return bool(rows) and rows[0].instance.map_index != UNMAPPED


async def _make_missing(tx: Transaction, progress: RunProgress, task_id: TaskId, indexes: range) -> None:
    if not indexes:
        return
    tally = _tally_from_outside(progress, task_id)
    first = progress.rows[task_id][0]
    for made in await more_instances(tx, progress, first.instance, indexes, tally):
        progress.know(advance.Row(instance=made, tally=tally))
        progress.revisit = (*progress.revisit, (task_id, made.map_index))


def _tally_from_outside(progress: RunProgress, task_id: TaskId) -> Tally:
    """Return what a new map index has been told of so far: all that index 0 has, but of the tasks beside it."""
    tally = progress.tally((task_id, 0))
    for upstream in progress.graph.tasks[task_id].upstream:
        if progress.graph.is_beside(task_id, upstream) and (place := progress.place((upstream, 0))) is not None:
            instance = progress.rows[upstream][place[1]].instance
            if progress.has_told(instance):
                tally = tally.minus(progress.outcomes.get(instance.key, instance.state))
    return tally
