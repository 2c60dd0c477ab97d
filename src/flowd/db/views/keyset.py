"""Keyset: pages that begin behind a row, which costs the same however far down the list that row is."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    RowMapping,
    String,
    UnaryExpression,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    true,
)

from flowd.db.storable import storable
from flowd.db.transaction import Transaction
from flowd.db.views.listing import (
    Listing,
    Sorting,
    View,
    asks_for_few,
    conditions_of,
    counted,
    is_nullable,
    order_of,
    sortings,
)
from flowd.domain.errors import InvalidInput

MOST_COUNTED = 10_000
"""How many rows a list is counted to, where it is paged by a cursor."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch(Generic[Item]):
    """A page with the cursors of the pages before and behind it, and the total, which is at most MOST_COUNTED."""

    items: list[Item]
    next_cursor: str | None
    previous_cursor: str | None
    total: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A row by what the list is ordered by, and on which side of it the page lies."""

    values: tuple[Any, ...]
    is_backward: bool


async def stretch(
    tx: Transaction, view: View, listing: Listing, cursor: str, *also: ColumnElement[bool]
) -> Stretch[RowMapping]:
    """Return the page at this cursor, the first one for an empty text; the listing's offset does not count.

    Raises InvalidInput for a cursor that is none of this list in this order.
    """
    sorted_by = sortings(view, listing)
    place = _read(cursor, sorted_by, _signature(view, listing)) if cursor else None
    is_backward = place is not None and place.is_backward
    limit = listing.limit or 0
    named = [one.column.label(f"sorted_{number}") for number, one in enumerate(sorted_by)]
    statement = (
        select(*view.columns, *named)
        .select_from(view.source)
        .where(conditions_of(tx, view, listing), *also)
        .limit(limit + 1)
    )
    if place is not None:
        statement = statement.where(_beyond(sorted_by, place))
    for one in sorted_by:
        clauses = (one.mirrored if is_backward else one).clauses
        statement = statement.order_by(*(map(_sorted_apart, clauses) if asks_for_few(view, listing) else clauses))
    found = list((await tx.execute(statement)).mappings()) if limit else []
    has_more, rows = len(found) > limit, found[:limit]
    if is_backward:
        rows.reverse()
    has_next, has_previous = (bool(rows), has_more) if is_backward else (has_more, place is not None and bool(rows))
    signature = _signature(view, listing)
    ones = select(literal(1).label("one")).select_from(counted(view, listing, *also))
    ones = ones.where(conditions_of(tx, view, listing), *also).limit(MOST_COUNTED)
    total = select(func.count()).select_from(ones.subquery())
    return Stretch(
        items=rows,
        next_cursor=_write(rows[-1], len(named), signature, is_backward=False) if has_next else None,
        previous_cursor=_write(rows[0], len(named), signature, is_backward=True) if has_previous else None,
        total=int((await tx.execute(total)).scalar_one()),
    )


def _sorted_apart(clause: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the same order, but by no index: else SQLite walks all there ever was in it, to find the few."""
    if isinstance(clause, UnaryExpression) and isinstance(clause.element.type, Integer):
        return UnaryExpression(clause.element + 0, modifier=clause.modifier)
    return clause


def _beyond(sorted_by: Sequence[Sorting], place: _Place) -> ColumnElement[bool]:
    """Return the condition of the rows on that side of the place."""
    reached: list[ColumnElement[bool]] = []
    beyond: list[ColumnElement[bool]] = []
    for one, value in zip(sorted_by, place.values, strict=True):
        beyond.append(and_(*reached, _is_past(one, value, is_backward=place.is_backward)))
        reached.append(one.column.is_(None) if value is None else one.column == value)
    first, value = sorted_by[0], place.values[0]
    bound: ColumnElement[bool] = true()
    if len(sorted_by) > 1 and not is_nullable(first.column):
        # What the OR says anyway, in the form by which an index can begin there.
        bound = first.column >= value if first.is_descending == place.is_backward else first.column <= value
    return and_(bound, or_(*beyond))


def _is_past(one: Sorting, value: Any, *, is_backward: bool) -> ColumnElement[bool]:
    column = one.column
    if value is None:
        # What has no value comes last.
        return column.is_not(None) if is_backward else false()
    past = column > value if one.is_descending == is_backward else column < value
    return or_(past, column.is_(None)) if is_nullable(column) and not is_backward else past


def _signature(view: View, listing: Listing) -> list[str]:
    return [f"{'-' if order.is_descending else ''}{order.field}" for order in order_of(view, listing)]


def _write(row: RowMapping, columns: int, signature: list[str], *, is_backward: bool) -> str:
    values = [row[f"sorted_{number}"] for number in range(columns)]
    document = json.dumps([signature, values, is_backward], separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def _read(cursor: str, sorted_by: Sequence[Sorting], signature: list[str]) -> _Place:
    try:
        document = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        order, values, is_backward = document
        is_ours = (
            order == signature
            and isinstance(is_backward, bool)
            and len(values) == len(sorted_by)
            and all(_fits(one.column, value) for one, value in zip(sorted_by, values, strict=True))
        )
    except (ValueError, TypeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise InvalidInput(f"the cursor {cursor[:40]!r} is none of this list in this order; begin with an empty one")
    return _Place(tuple(values), is_backward)


def _fits(column: ColumnElement[Any], value: Any) -> bool:
    """Return whether the database can compare the column with the value."""
    if value is None:
        return is_nullable(column)
    if isinstance(column.type, String):
        return isinstance(value, str) and value == storable(value)
    # A BIGINT holds moments and keys; every other number is an INTEGER.
    bits = 63 if isinstance(column.type, BigInteger) or not isinstance(column.type, Integer) else 31
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**bits
