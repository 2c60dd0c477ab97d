"""Slices: pages of lists that are short enough to be held in memory."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from flowd.db.views.listing import MOST_ROWS
from flowd.domain.errors import InvalidInput

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Slice:
    """Which page is wanted, and in which order."""

    limit: int
    offset: int
    order_by: tuple[str, ...] = ()

    def of(self, items: Iterable[Item], keys: Mapping[str, Callable[[Item], Any]]) -> list[Item]:
        """Return the page of these items, ordered by the `keys` that are asked for; what has none comes last.

        Raises InvalidInput for a field that is no key.
        """
        found = list(items)
        for name in reversed(self.order_by):
            key = keys.get(name.removeprefix("-"))
            if key is None:
                raise InvalidInput(
                    f"Ordering with '{name.removeprefix('-')}' is disallowed or the attribute does not exist;"
                    f" wanted one of {', '.join(sorted(keys))}"
                )
            has = [item for item in found if key(item) is not None]
            has_not = [item for item in found if key(item) is None]
            found = sorted(has, key=key, reverse=name.startswith("-")) + has_not
        return found[self.offset :][: min(self.limit, MOST_ROWS)]


def unordered_slice(limit: Annotated[int, Query(ge=0)] = 50, offset: Annotated[int, Query(ge=0)] = 0) -> Slice:
    """Return the page that a request asks for."""
    return Slice(limit, offset)


def ordered_slice(
    limit: Annotated[int, Query(ge=0)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
    order_by: Annotated[list[str] | None, Query()] = None,
) -> Slice:
    """Return the page, and the order, that a request asks for."""
    return Slice(limit, offset, tuple(order_by or ()))


Unordered = Annotated[Slice, Depends(unordered_slice)]
Ordered = Annotated[Slice, Depends(ordered_slice)]
