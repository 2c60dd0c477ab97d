"""Expanding mapped tasks: their events spread over the instances that they have, or are to have from now on."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from flowd.db.ledger import mapped
from flowd.db.transaction import Transaction
from flowd.domain.graph import Graph
from flowd.domain.ids import UNMAPPED, TaskId
from flowd.domain.map_length import Expansion, evaluated, is_crossed_beyond, sources_of
from flowd.domain.run_plan import PlanEvent
from flowd.domain.spread import Result, Spread, spread
from flowd.domain.states import TaskState
from flowd.domain.tally import Place, Tally
from flowd.domain.task_events import Decided
from flowd.domain.task_instance import TaskInstance
from flowd.roles.scheduler.more_instances import more_instances
from flowd.roles.scheduler.revise_group import revise_group
from flowd.roles.scheduler.run_progress import RunProgress


async def expand_tasks(
    tx: Transaction, progress: RunProgress, events: Mapping[Place, PlanEvent], *, anew: Iterable[Place] = ()
) -> None:
    """Let the events of mapped places happen to their instances; what waits for the task it expands over stays open.

    `anew` are the places that were judged although no upstream of theirs has ended. The map indexes of their mapped
    groups, and of those whose items were returned anew, are made as many as there are items.
    """
    graph = progress.graph
    whole = {task_id for task_id, index in events if index == UNMAPPED}
    fed = {place for place, event in events.items() if _takes_items(graph, place, event)}
    groups = {graph.groups[task_id] for task_id in whole if task_id in graph.groups}
    again = {graph.groups[task_id] for task_id, index in (*fed, *anew) if index != UNMAPPED} - progress.revised
    members = {task_id for task_id in whole if task_id not in graph.groups}
    members = members.union(*(graph.mapped_groups[group] for group in groups | again))
    if members:
        progress.members |= await mapped.members(tx, progress.run.key, members)
    asking = whole | {task_id for task_id, _ in fed} | {graph.mapped_groups[group][0] for group in again}
    results = await _results(tx, progress, asking)
    removed = await _revise(tx, progress, again, results)
    for place, event in events.items():
        task_id, index = place
        if index != UNMAPPED:
            if place not in removed:
                _happen_in_group(progress, place, event, results)
        elif task_id not in graph.groups:
            await _expand_alone(tx, progress, task_id, event, results)
    for group in groups:
        own = {task_id: events[task_id, UNMAPPED] for task_id in graph.mapped_groups[group] if task_id in whole}
        await _expand_group(tx, progress, group, own, results)


def _takes_items(graph: Graph, place: Place, event: PlanEvent) -> bool:
    """Return True where a map index of a mapped group is to run that waits for the tasks which return the items."""
    task = graph.tasks[place[0]]
    if place[1] == UNMAPPED or isinstance(event, Decided) or task.expansion is None:
        return False
    return not sources_of(task.expansion.length).isdisjoint(task.upstream)


def _happen_in_group(progress: RunProgress, place: Place, event: PlanEvent, results: Mapping[TaskId, Result]) -> None:
    """Let an event happen to one map index; where it takes items, they must have been returned."""
    task_id, index = place
    if _takes_items(progress.graph, place, event):
        if not _are_known(progress, task_id, results):
            return
        if _length(progress, task_id, results) is None:
            event = Decided(TaskState.UPSTREAM_FAILED)
    progress.events[place] = event
    progress.happen(progress.rows[task_id][index].instance, event)


async def _revise(
    tx: Transaction, progress: RunProgress, groups: Iterable[str], results: Mapping[TaskId, Result]
) -> set[Place]:
    """Revise those of these mapped groups whose items are all known, and return the places that were removed."""
    removed: set[Place] = set()
    for group in sorted(groups):
        task_id = progress.graph.mapped_groups[group][0]
        length = _length(progress, task_id, results)
        if length is not None and _are_known(progress, task_id, results):
            progress.revised.add(group)
            removed |= await revise_group(tx, progress, group, length)
    return removed


def _are_known(progress: RunProgress, task_id: TaskId, results: Mapping[TaskId, Result]) -> bool:
    """Return True where all tasks have ended that return the items of this one."""
    return all(results[source].is_ended for source in sources_of(_expansion(progress, task_id).length))


def _length(progress: RunProgress, task_id: TaskId, results: Mapping[TaskId, Result]) -> int | None:
    """Return the length of a task; None where it has none, or is crossed to more than may be."""
    length = _expansion(progress, task_id).length
    found = evaluated(length, {source: result.length for source, result in results.items()})
    return None if found is None or is_crossed_beyond(length, found, progress.most_crossed) else found


async def _results(tx: Transaction, progress: RunProgress, task_ids: Iterable[TaskId]) -> dict[TaskId, Result]:
    """Return what is known of the tasks over whose results these expand, after what has been decided so far."""
    sources = {source for task_id in task_ids for source in sources_of(_expansion(progress, task_id).length)}
    if not sources:
        return {}
    found: dict[TaskId, list[mapped.Returned]] = {source: [] for source in sources}
    for one in await mapped.returned(tx, progress.run.key, sources):
        found[one.task_id].append(one)
    return {source: _result(progress, source, instances) for source, instances in found.items()}


def _result(progress: RunProgress, task_id: TaskId, instances: list[mapped.Returned]) -> Result:
    is_ended = all(progress.outcomes.get(one.key, one.state).is_finished for one in instances)
    if progress.graph.tasks[task_id].expansion is not None:
        return Result(is_ended=is_ended, length=sum(one.has_value for one in instances))
    return Result(is_ended=is_ended, length=next((one.length for one in instances), None))


async def _expand_alone(
    tx: Transaction, progress: RunProgress, task_id: TaskId, event: PlanEvent, results: Mapping[TaskId, Result]
) -> None:
    """Spread the event of a mapped task that is in no mapped group."""
    instances = {row.instance.map_index: row.instance for row in progress.members.pop(task_id)}
    undecided = [index for index, one in instances.items() if progress.is_undecided(one)]
    existing = max(instances) + 1
    spreading = spread(
        _expansion(progress, task_id),
        event,
        undecided=undecided,
        existing=existing,
        results=results,
        most_crossed=progress.most_crossed,
    )
    if spreading is None:
        return
    progress.events[task_id, UNMAPPED] = event
    if not existing and spreading.size:
        instances[UNMAPPED] = await _become_first(tx, progress, task_id, instances[UNMAPPED])
        existing = 1
    for index, one in spreading.events.items():
        progress.happen(instances[index], one)
    if spreading.made is not None and spreading.size > existing:
        # Whatever waits for the task has its tally in the row of the first instance, so the others need none.
        for made in await more_instances(
            tx, progress, instances[min(instances)], range(existing, spreading.size), Tally()
        ):
            progress.happen(made, spreading.made)


async def _expand_group(
    tx: Transaction,
    progress: RunProgress,
    group: str,
    events: Mapping[TaskId, PlanEvent],
    results: Mapping[TaskId, Result],
) -> None:
    """Spread the events of tasks in a mapped group that has not expanded, and let all of it expand where one does."""
    spreads: dict[TaskId, Spread] = {}
    for task_id, event in events.items():
        found = spread(
            _expansion(progress, task_id),
            event,
            undecided=[UNMAPPED],
            existing=0,
            results=results,
            most_crossed=progress.most_crossed,
        )
        if found is not None:
            spreads[task_id] = found
    size = max((one.size for one in spreads.values()), default=0)
    for task_id in progress.graph.mapped_groups[group]:
        rows = progress.members.pop(task_id, [])
        if not rows:
            # It has expanded before, and was revised just now.
            continue
        row, instance = rows[0], rows[0].instance
        if progress.place((task_id, UNMAPPED)) is None:
            progress.know(row)
        spreading = spreads.get(task_id)
        if spreading is not None and not spreading.size:
            progress.events[task_id, UNMAPPED] = spreading.events[UNMAPPED]
            progress.happen(instance, spreading.events[UNMAPPED])
        elif size and instance.map_index == UNMAPPED and progress.is_undecided(instance):
            await _expand_in_group(tx, progress, instance, size, None if spreading is None else spreading.made)


async def _expand_in_group(
    tx: Transaction, progress: RunProgress, instance: TaskInstance, size: int, event: PlanEvent | None
) -> None:
    task_id = instance.task_id
    tally = progress.tally((task_id, UNMAPPED))
    first = await _become_first(tx, progress, task_id, instance)
    made = [first, *await more_instances(tx, progress, first, range(1, size), tally)]
    for one in made:
        place = (task_id, one.map_index)
        progress.know(replace(progress.rows[task_id][UNMAPPED], instance=one, tally=tally))
        if event is not None:
            progress.events[place] = event
            progress.happen(one, event)
    del progress.rows[task_id][UNMAPPED]
    if progress.tallies.pop((task_id, UNMAPPED), None) is not None:
        progress.tallies[task_id, 0] = tally


async def _become_first(
    tx: Transaction, progress: RunProgress, task_id: TaskId, instance: TaskInstance
) -> TaskInstance:
    first = await mapped.become_first(tx, instance)
    rows = progress.rows[task_id]
    rows[UNMAPPED] = replace(rows[UNMAPPED], instance=first)
    return first


def _expansion(progress: RunProgress, task_id: TaskId) -> Expansion:
    expansion = progress.graph.tasks[task_id].expansion
    assert expansion is not None
    return expansion
