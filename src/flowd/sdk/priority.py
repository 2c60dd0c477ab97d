"""Effective priority: a task's weight by its weight rule, as Airflow computes it."""

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.sdk.arguments import as_whole_number
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.priority_strategy import FirstTry, strategy_of

RULES = ("absolute", "downstream", "upstream")


def weight_rule_of(task: BaseOperator) -> str:
    """Return the name of the task's weight rule, of a strategy its class; raise InvalidDag for one not known."""
    name: Any = getattr(task.weight_rule, "value", task.weight_rule)
    strategy = strategy_of(name)
    if strategy is not None:
        return f"{type(strategy).__module__}.{type(strategy).__qualname__}"
    if name not in RULES:
        raise InvalidDag(f"task {task.task_id!r}: weight_rule is {name!r}, wanted one of {', '.join(RULES)}")
    return str(name)


def effective_priorities(tasks: Collection[BaseOperator]) -> dict[str, int]:
    """Return, by id, each task's own weight, and with rule downstream or upstream also that of every task on that side.

    A strategy of the author's says what its task weighs, and that is all.

    `tasks` are all those of a DAG. Where they form a circle, each has its own weight alone: such a DAG is refused.
    """
    rules = {task.task_id: weight_rule_of(task) for task in tasks}
    own = {task.task_id: _own_weight(task) for task in tasks}
    found = dict(own)
    for rule in {"downstream", "upstream"} & set(rules.values()):
        neighbours = {task.task_id: task.get_direct_relative_ids(upstream=rule == "upstream") for task in tasks}
        try:
            found |= {one: weight for one, weight in _with_those_beyond(own, neighbours) if rules[one] == rule}
        except CycleError:
            return own
    return found


def _own_weight(task: BaseOperator) -> int:
    strategy = strategy_of(task.weight_rule)
    if strategy is None:
        return task.priority_weight
    where = f"task {task.task_id!r}: weight_rule {type(strategy).__qualname__}"
    try:
        weight = strategy.get_weight(FirstTry(task, task.task_id, task.dag.dag_id))
    except Exception as error:
        raise InvalidDag(f"{where}: get_weight failed: {type(error).__name__}: {error}") from error
    return as_whole_number(weight, f"{where}: what get_weight returns")


def _with_those_beyond(own: Mapping[str, int], neighbours: Mapping[str, Iterable[str]]) -> Iterable[tuple[str, int]]:
    """Yield each task with its weight and that of all that can be reached from it, each counted once.

    Sets of tasks are bits of a whole number: so it takes one step an edge, however many tasks are behind it.
    """
    bits = {task_id: 1 << place for place, task_id in enumerate(own)}
    bearers: dict[int, int] = {}
    for task_id, weight in own.items():
        bearers[weight] = bearers.get(weight, 0) | bits[task_id]
    reached: dict[str, int] = {}
    for task_id in TopologicalSorter(neighbours).static_order():
        beyond = 0
        for neighbour in neighbours[task_id]:
            beyond |= reached[neighbour] | bits[neighbour]
        reached[task_id] = beyond
        yield task_id, own[task_id] + sum(weight * (beyond & some).bit_count() for weight, some in bearers.items())
