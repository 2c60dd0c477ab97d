"""LazySequence: items that are fetched or made when they are read, as a mapped task's many results are."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any, overload


class LazySequence(Sequence[Any]):
    """A sequence that holds nothing; a slice of it is a list."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def at(self, index: int) -> Any:
        """Return the item at `index`, counted from 0; raise IndexError where there is none."""

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self.at(one) for one in range(*index.indices(len(self)))]
        return self.at(index if index >= 0 else index + len(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({len(self)} items)>"


class MappedItems(LazySequence):
    """The items of another sequence as a function makes them."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self._function = function
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return map(self._function, self._items)

    def at(self, index: int) -> Any:
        """Return what the function makes of the item."""
        return self._function(self._items[index])


class ZippedItems(LazySequence):
    """Tuples of the items that stand side by side; beyond the end of a shorter part `fill`, where there is one."""

    def __init__(self, parts: Sequence[Sequence[Any]], fill: Sequence[Any] = ()) -> None:
        self._parts = parts
        self._fill = fill

    def __len__(self) -> int:
        lengths = [len(part) for part in self._parts]
        return max(lengths) if self._fill else min(lengths)

    def __iter__(self) -> Iterator[Any]:
        return zip_longest(*self._parts, fillvalue=self._fill[0]) if self._fill else zip(*self._parts, strict=False)

    def at(self, index: int) -> Any:
        """Return one tuple."""
        if not self._fill:
            return tuple(part[index] for part in self._parts)
        if index >= len(self):
            raise IndexError(index)
        return tuple(part[index] if index < len(part) else self._fill[0] for part in self._parts)


class ChainedItems(LazySequence):
    """The items of each part after those of the part before."""

    def __init__(self, parts: Sequence[Sequence[Any]]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._parts)

    def at(self, index: int) -> Any:
        """Return the item from the part that it is in."""
        for part in self._parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)
