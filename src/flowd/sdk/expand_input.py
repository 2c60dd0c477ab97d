"""ExpandInput: what a mapped task was told to expand over: for each argument its values, or all arguments together."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from flowd.domain.errors import InvalidDag
from flowd.domain.map_length import CrossedLength, LiteralLength, MapLength
from flowd.domain.mappable import DEFAULT_MOST_ITEMS, LENGTH_VARIABLE
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.mappable import Mappable, mappables_in
from flowd.sdk.resolvable import Resolvable, resolved

if TYPE_CHECKING:
    from flowd.sdk.base_operator import BaseOperator


class ExpandInput(ABC):
    """What `expand` or `expand_kwargs` was given."""

    @property
    @abstractmethod
    def length(self) -> MapLength:
        """How many instances there are to be."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...] | None:
        """The arguments that are expanded; None where that is known only within a run."""

    @property
    @abstractmethod
    def sources(self) -> "tuple[BaseOperator, ...]":
        """The tasks whose results the length depends on."""

    @property
    @abstractmethod
    def operators(self) -> "tuple[BaseOperator, ...]":
        """Every task whose output is somewhere in it."""

    @abstractmethod
    def at(self, context: Mapping[str, Any], map_index: int) -> tuple[dict[str, Any], frozenset[str]]:
        """Return the arguments of one instance, and which of them come from other tasks: these are no templates."""


class CrossedInput(ExpandInput):
    """A list or dict for each argument: every value of each with every value of the others, the last fastest."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        if not values:
            raise InvalidDag(f"{where}: expand() was given nothing; give a list, a dict or an output for an argument")
        for name, value in values.items():
            if not isinstance(value, Mappable) and not _is_sized(value):
                raise InvalidDag(
                    f"{where}: expand({name}=…) was given {_kind(value)}; wanted a list, a dict, or a task's output"
                )
        self.values = dict(values)
        self._check_product(where)

    @property
    def length(self) -> MapLength:
        """The product of all lengths."""
        lengths = tuple(_length_of(value) for value in self.values.values())
        return lengths[0] if len(lengths) == 1 else CrossedLength(lengths)

    def _check_product(self, where: str) -> None:
        """Raise InvalidDag where the lists in the file alone are crossed to more instances than may be."""
        lengths = [len(value) for value in self.values.values() if not isinstance(value, Mappable)]
        most = int(os.environ.get(LENGTH_VARIABLE, DEFAULT_MOST_ITEMS))
        if len(lengths) > 1 and prod(lengths) > most:
            crossed = " x ".join(map(str, lengths))
            raise InvalidDag(
                f"{where}: expand() crosses its arguments to {crossed} = {prod(lengths)} instances, and"
                f" worker.max_map_length allows {most}; give it less to cross, or raise the setting"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments that have values."""
        return tuple(self.values)

    @property
    def sources(self) -> "tuple[BaseOperator, ...]":
        """The tasks whose outputs are expanded."""
        return _operators([value for value in self.values.values() if isinstance(value, Mappable)])

    @property
    def operators(self) -> "tuple[BaseOperator, ...]":
        """Those, and the tasks whose outputs are items."""
        return _operators(list(mappables_in(self.values)))

    def at(self, context: Mapping[str, Any], map_index: int) -> tuple[dict[str, Any], frozenset[str]]:
        """Return one value for each argument."""
        items = {name: _items(value, context) for name, value in self.values.items()}
        places: dict[str, int] = {}
        rest = map_index
        for name in reversed(items):
            is_first = name == next(iter(items))
            # The length of what changes slowest is not needed, and with one argument alone that is all there is.
            rest, places[name] = (0, rest) if is_first else divmod(rest, len(items[name]))
        outside = frozenset(name for name, value in self.values.items() if isinstance(value, Mappable))
        return {name: resolved(of_name[places[name]], context) for name, of_name in items.items()}, outside


class TogetherInput(ExpandInput):
    """A list of dicts, each with the arguments of one instance."""

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, Mappable):
            if not _is_sized(values) or isinstance(values, Mapping):
                raise InvalidDag(f"{where}: expand_kwargs() was given {_kind(values)}; wanted a list of dicts")
            for item in values:
                if not isinstance(item, (Mapping, Resolvable)):
                    raise InvalidDag(f"{where}: expand_kwargs() was given a list with {_kind(item)}; wanted dicts")
        self.values = values

    @property
    def length(self) -> MapLength:
        """One for each dict."""
        return _length_of(self.values)

    @property
    def names(self) -> tuple[str, ...] | None:
        """The keys of the dicts, where they are in the file."""
        if isinstance(self.values, Mappable) or not all(isinstance(item, Mapping) for item in self.values):
            return None
        return tuple(dict.fromkeys(name for item in self.values for name in item))

    @property
    def sources(self) -> "tuple[BaseOperator, ...]":
        """The task whose output it is."""
        return self.values.operators if isinstance(self.values, Mappable) else ()

    @property
    def operators(self) -> "tuple[BaseOperator, ...]":
        """That, and the tasks whose outputs are in the dicts."""
        return _operators(list(mappables_in(self.values)))

    def at(self, context: Mapping[str, Any], map_index: int) -> tuple[dict[str, Any], frozenset[str]]:
        """Return one dict; raise AirflowException where there is something else, or a key is no text."""
        item = _items(self.values, context)[map_index]
        is_outside = isinstance(self.values, Mappable) or isinstance(item, Resolvable)
        found = resolved(item, context)
        if not isinstance(found, Mapping):
            raise AirflowException(
                f"expand_kwargs() expands over dicts, and item {map_index} is {_kind(found)}: {found!r}"
            )
        strange = [key for key in found if not isinstance(key, str)]
        if strange:
            raise AirflowException(
                f"expand_kwargs() takes dicts with names of arguments as keys, and item {map_index} has {strange[0]!r}"
            )
        return dict(found), frozenset(found) if is_outside else frozenset()


def _is_sized(value: Any) -> bool:
    return isinstance(value, (Sequence, Mapping)) and not isinstance(value, (str, bytes, bytearray))


def _length_of(value: Any) -> MapLength:
    return value.map_length if isinstance(value, Mappable) else LiteralLength(len(value))


def _items(value: Any, context: Mapping[str, Any]) -> Sequence[Any]:
    if isinstance(value, Mappable):
        return value.items(context)
    return list(value.items()) if isinstance(value, Mapping) else value


def _operators(values: Sequence[Mappable]) -> "tuple[BaseOperator, ...]":
    return tuple(dict.fromkeys(operator for value in values for operator in value.operators))


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
