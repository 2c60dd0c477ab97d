"""Resolvable: what stands for a value while a DAG is written."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Resolvable(ABC):
    """A value that is known only within a run; found in a template field, it is resolved before the task executes."""

    @abstractmethod
    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the value in the run of `context`."""


@dataclass(frozen=True, slots=True)
class LiteralValue(Resolvable):
    """A value that is taken as it is, though it looks like a template."""

    value: Any

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the value."""
        return self.value


def resolved(value: Any, context: Mapping[str, Any]) -> Any:
    """Return `value` with every stand-in of it, however deep in lists and dicts, resolved; other text as it is."""
    if isinstance(value, Resolvable):
        return value.resolve(context)
    if isinstance(value, dict):
        return {key: resolved(item, context) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(resolved(item, context) for item in value)
    return value
