"""Edges: `>>`, `<<`, lists of tasks, chain and cross_downstream."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from flowd.domain.errors import InvalidDag

if TYPE_CHECKING:
    from flowd.sdk.task_node import TaskNode


class Linkable(ABC):
    """Anything that may stand beside `>>`: a task, a task group, a task's output, a label."""

    @property
    @abstractmethod
    def roots(self) -> "Sequence[TaskNode]":
        """The tasks that wait when something is put before this."""

    @property
    @abstractmethod
    def leaves(self) -> "Sequence[TaskNode]":
        """The tasks that are waited for when something is put behind this."""

    def set_downstream(self, task_or_task_list: Any, edge_modifier: Any = None) -> None:
        """Make everything given wait for this."""
        label = edge_modifier.label if edge_modifier else None
        for other in each_linkable(task_or_task_list):
            other.link_after(self, label)

    def set_upstream(self, task_or_task_list: Any, edge_modifier: Any = None) -> None:
        """Make this wait for everything given."""
        label = edge_modifier.label if edge_modifier else None
        for other in each_linkable(task_or_task_list):
            other.link_before(self, label)

    def link_after(self, upstream: "Linkable", label: str | None = None) -> None:
        """Make this wait for `upstream`."""
        connect(upstream.leaves, self.roots, label)

    def link_before(self, downstream: "Linkable", label: str | None = None) -> None:
        """Make `downstream` wait for this."""
        connect(self.leaves, downstream.roots, label)

    def __rshift__(self, other: Any) -> Any:
        self.set_downstream(other)
        return other

    def __lshift__(self, other: Any) -> Any:
        self.set_upstream(other)
        return other

    def __rrshift__(self, other: Any) -> "Linkable":
        self.set_upstream(other)
        return self

    def __rlshift__(self, other: Any) -> "Linkable":
        self.set_downstream(other)
        return self


def connect(upstream: "Sequence[TaskNode]", downstream: "Sequence[TaskNode]", label: str | None = None) -> None:
    """Make every task of `downstream` wait for every task of `upstream`."""
    for before in upstream:
        for after in downstream:
            before.link_task(after, label)


def each_linkable(things: Any) -> Iterator[Linkable]:
    """Yield what is linkable in a task or a nest of lists and tuples; raise InvalidDag for anything else."""
    if isinstance(things, Linkable):
        yield things
    elif isinstance(things, (list, tuple, set)):
        for thing in things:
            yield from each_linkable(thing)
    else:
        raise InvalidDag(f"{things!r} is a {type(things).__name__}; only tasks, groups, outputs and lists have edges")


def chain(*tasks: Any) -> None:
    """Link each thing to the next; two lists side by side must be of one length, and are linked pair by pair."""
    for before, after in pairwise(tasks):
        if _is_sequence(before) and _is_sequence(after):
            if len(before) != len(after):
                raise InvalidDag(
                    f"chain() was given a list of {len(before)} beside a list of {len(after)}: neighbouring lists "
                    "must be of one length; use chain_linear() to link every task of one to every task of the other"
                )
            for one, other in zip(before, after, strict=True):
                one.set_downstream(other)
        else:
            _link_all(before, after)


def chain_linear(*elements: Any) -> None:
    """Link every task of each element to every task of the next."""
    if len(elements) < 2:
        raise InvalidDag("chain_linear() links one element to the next: give it two or more")
    for before, after in pairwise(elements):
        _link_all(before, after)


def cross_downstream(from_tasks: Iterable[Any], to_tasks: Any) -> None:
    """Make every one of `to_tasks` wait for every one of `from_tasks`."""
    _link_all(list(from_tasks), to_tasks)


def _link_all(before: Any, after: Any) -> None:
    for upstream in each_linkable(before):
        upstream.set_downstream(after)


def _is_sequence(things: Any) -> bool:
    return isinstance(things, (list, tuple))
