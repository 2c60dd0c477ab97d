"""Mappable: values known only within a run over which a mapped task expands; `.map`, `.zip` and `.concat` of them."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowd.domain.errors import InvalidDag
from flowd.domain.map_length import ChainedLength, MapLength, ZippedLength
from flowd.sdk.edges import Linkable
from flowd.sdk.lazy_sequence import ChainedItems, LazySequence, MappedItems, ZippedItems
from flowd.sdk.resolvable import Resolvable

if TYPE_CHECKING:
    from flowd.sdk.base_operator import BaseOperator
    from flowd.sdk.task_node import TaskNode

_NOT_GIVEN: Any = object()


class Mappable(Resolvable, Linkable):
    """The items that tasks will have returned."""

    @property
    @abstractmethod
    def operators(self) -> "tuple[BaseOperator, ...]":
        """The tasks that return them."""

    @property
    @abstractmethod
    def map_length(self) -> MapLength:
        """How many items there will be; raises InvalidDag where no task can be mapped over them."""

    @abstractmethod
    def items(self, context: Mapping[str, Any]) -> Sequence[Any]:
        """Return the items in the run of `context`."""

    @property
    def roots(self) -> "Sequence[TaskNode]":
        """The tasks that return them."""
        return self.operators

    @property
    def leaves(self) -> "Sequence[TaskNode]":
        """The tasks that return them."""
        return self.operators

    def map(self, f: Callable[[Any], Any]) -> "MapXComArg":
        """Return the items as `f` makes them, in the process of the task that takes them.

        Where `f` raises AirflowSkipException, the mapped instance of that item is skipped.
        """
        return MapXComArg(self, f)

    def zip(self, *others: "Mappable", fillvalue: Any = _NOT_GIVEN) -> "ZipXComArg":
        """Return tuples of the items side by side, as many as the shortest has, or with a `fillvalue` the longest."""
        return ZipXComArg((self, *others), () if fillvalue is _NOT_GIVEN else (fillvalue,))

    def concat(self, *others: "Mappable") -> "ConcatXComArg":
        """Return the items of this, and then those of the others."""
        return ConcatXComArg((self, *others))


class _Combined(Mappable):
    """Items made of those of `parts`; given as a plain argument they are one lazy sequence."""

    def __init__(self, parts: Sequence[Mappable], name: str) -> None:
        for part in parts:
            if not isinstance(part, Mappable):
                raise InvalidDag(f".{name}() was given {part!r}; wanted outputs of tasks")
        self.parts = tuple(parts)

    @property
    def operators(self) -> "tuple[BaseOperator, ...]":
        """The tasks that return them, each once."""
        return tuple(dict.fromkeys(operator for part in self.parts for operator in part.operators))

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the items as a sequence."""
        return self.items(context)


class MapXComArg(_Combined):
    """Items as a function makes them."""

    def __init__(self, arg: Mappable, function: Callable[[Any], Any]) -> None:
        super().__init__([arg], "map")
        if isinstance(function, Linkable) or not callable(function) or hasattr(function, "override"):
            raise InvalidDag(f".map() was given {function!r}; wanted a plain function of one item, not a task")
        self.function = function

    @property
    def map_length(self) -> MapLength:
        """As many as without the function."""
        return self.parts[0].map_length

    def items(self, context: Mapping[str, Any]) -> LazySequence:
        """Return the items; the function is called when one is read."""
        return MappedItems(self.function, self.parts[0].items(context))


class ZipXComArg(_Combined):
    """Items side by side."""

    def __init__(self, parts: Sequence[Mappable], fill: Sequence[Any]) -> None:
        super().__init__(parts, "zip")
        self.fill = fill

    @property
    def map_length(self) -> MapLength:
        """The shortest of the parts, or with a fill value the longest."""
        return ZippedLength(tuple(part.map_length for part in self.parts), is_longest=bool(self.fill))

    def items(self, context: Mapping[str, Any]) -> LazySequence:
        """Return the tuples."""
        return ZippedItems([part.items(context) for part in self.parts], self.fill)


class ConcatXComArg(_Combined):
    """Items one after the other."""

    def __init__(self, parts: Sequence[Mappable]) -> None:
        super().__init__(parts, "concat")

    @property
    def map_length(self) -> MapLength:
        """All of the parts together."""
        return ChainedLength(tuple(part.map_length for part in self.parts))

    def items(self, context: Mapping[str, Any]) -> LazySequence:
        """Return the items."""
        return ChainedItems([part.items(context) for part in self.parts])


def mappables_in(value: Any) -> Iterator[Mappable]:
    """Yield the outputs of tasks in what a mapped task is given to expand over: itself, and items of it."""
    if isinstance(value, Mappable):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from mappables_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from mappables_in(item)
