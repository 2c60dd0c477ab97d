"""PriorityWeightStrategy: a weight rule of an author's own."""

import importlib
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from flowd.domain.errors import InvalidDag


class FirstTry(NamedTuple):
    """What a strategy is asked about: the task, before its first try."""

    task: Any
    task_id: str
    dag_id: str
    try_number: int = 0
    map_index: int = -1


class PriorityWeightStrategy(ABC):
    """Says what a task weighs. It is asked once, when the file is read: the weight is that of the first try."""

    @abstractmethod
    def get_weight(self, ti: Any) -> int:
        """Return the weight of the task instance; higher ones are executed first."""

    def serialize(self) -> dict[str, Any]:
        """Return what the strategy is made again from."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "PriorityWeightStrategy":
        """Return the strategy that `serialize` wrote."""
        return cls(**data)


def strategy_of(weight_rule: Any) -> PriorityWeightStrategy | None:
    """Return the strategy that a task's weight rule is, or names as `module.Class`; None for a rule of another kind.

    Raises InvalidDag for a path at which there is no strategy.
    """
    if isinstance(weight_rule, PriorityWeightStrategy):
        return weight_rule
    module, dot, name = str(getattr(weight_rule, "value", weight_rule)).rpartition(".")
    if not dot:
        return None
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidDag(f"weight_rule {weight_rule!r} cannot be imported: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, PriorityWeightStrategy)):
        raise InvalidDag(f"weight_rule {weight_rule!r} is no PriorityWeightStrategy")
    return kind()
