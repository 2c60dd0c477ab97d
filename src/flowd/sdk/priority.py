"""Effective priority: a task's weight by its weight rule, as Airflow computes it."""

from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.sdk.base_operator import BaseOperator

RULES = ("absolute", "downstream", "upstream")


def weight_rule_of(task: BaseOperator) -> str:
    """Return the name of the task's weight rule; raise InvalidDag for one that is not known."""
    name: Any = getattr(task.weight_rule, "value", task.weight_rule)
    if name not in RULES:
        raise InvalidDag(f"task {task.task_id!r}: weight_rule is {name!r}, wanted one of {', '.join(RULES)}")
    return str(name)


def effective_priority(task: BaseOperator) -> int:
    """Return the task's own weight, and with rule downstream or upstream also that of every task on that side."""
    rule = weight_rule_of(task)
    if rule == "absolute":
        return task.priority_weight
    return task.priority_weight + sum(t.priority_weight for t in task.get_flat_relatives(upstream=rule == "upstream"))
