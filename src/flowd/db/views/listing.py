"""Listing: one way to filter, order and page every list.

A list is described once, by its named fields; what a caller may filter and order by follows from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, FromClause, RowMapping, Select, and_, func, or_, select, true

from flowd.db.moments import to_db
from flowd.db.transaction import Transaction

MOST_ROWS = 100
"""The longest page, as in Airflow."""

EVERYTHING = "~"


class FieldKind(StrEnum):
    """What a field holds, and so how it may be filtered; a number is whole, seconds need not be."""

    TEXT = "text"
    NUMBER = "number"
    SECONDS = "seconds"
    MOMENT = "moment"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a list. `choices` are the only values it takes; `pattern_name` is how patterns call the field."""

    column: ColumnElement[Any]
    kind: FieldKind = FieldKind.TEXT
    choices: tuple[str, ...] = ()
    pattern_name: str | None = None


class Comparison(StrEnum):
    """How a value may be bounded; the words are the endings of Airflow's parameters."""

    GTE = "gte"
    GT = "gt"
    LTE = "lte"
    LT = "lt"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field has one of these values."""

    field: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Bounded:
    """The field lies on this side of a value."""

    field: str
    comparison: Comparison
    value: datetime | float


@dataclass(frozen=True, slots=True)
class Contains:
    """The field contains the text, upper or lower case: `%` and `_` are wildcards, `|` is or, `~` is everything."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class BeginsWith:
    """The field begins with exactly this text; `|` is or, `~` is everything."""

    field: str
    prefix: str


Condition = OneOf | Bounded | Contains | BeginsWith


@dataclass(frozen=True, slots=True)
class Order:
    """By which field to order, and which way."""

    field: str
    is_descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is wanted of a list: all conditions hold. `limit` is at most MOST_ROWS, None for every row."""

    conditions: tuple[Condition, ...] = ()
    order_by: tuple[Order, ...] = ()
    limit: int | None = 50
    offset: int = 0

    def where(self, *conditions: Condition) -> "Listing":
        """Return the same listing with these conditions as well."""
        return replace(self, conditions=self.conditions + conditions)


EVERY_ROW = Listing(limit=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A list: its rows, the fields it is filtered and ordered by, and the key that makes its order total."""

    columns: tuple[ColumnElement[Any], ...]
    source: FromClause
    fields: Mapping[str, Field]
    key: ColumnElement[Any]
    order_by: tuple[Order, ...] = ()


async def count(tx: Transaction, view: View, listing: Listing, *also: ColumnElement[bool]) -> int:
    """Return how many rows meet the conditions."""
    statement = select(func.count()).select_from(view.source).where(_conditions(view, listing), *also)
    return int((await tx.execute(statement)).scalar_one())


async def page(tx: Transaction, view: View, listing: Listing, *also: ColumnElement[bool]) -> Sequence[RowMapping]:
    """Return the wanted page of the rows that meet the conditions."""
    if listing.limit == 0:
        return []
    statement = select(*view.columns).select_from(view.source).where(_conditions(view, listing), *also)
    return (await tx.execute(_ordered(statement, view, listing))).mappings().all()


def _ordered(statement: Select[*tuple[Any, ...]], view: View, listing: Listing) -> Select[*tuple[Any, ...]]:
    for order in listing.order_by or view.order_by:
        column = view.fields[order.field].column
        # Databases disagree on where NULL sorts: spelt out, so that pages are the same everywhere.
        direction = column.desc() if order.is_descending else column.asc()
        statement = statement.order_by(column.is_(None), direction)
    statement = statement.order_by(view.key)
    return statement if listing.limit is None else statement.limit(listing.limit).offset(listing.offset)


def _conditions(view: View, listing: Listing) -> ColumnElement[bool]:
    return and_(true(), *(_condition(view.fields[one.field].column, one) for one in listing.conditions))


def _condition(column: ColumnElement[Any], condition: Condition) -> ColumnElement[bool]:
    match condition:
        case OneOf(values=values):
            return column.in_(values)
        case Bounded(comparison=comparison, value=value):
            return _bounded(column, comparison, to_db(value) if isinstance(value, datetime) else value)
        case Contains(pattern=pattern):
            return _any(pattern, lambda text: column.ilike(f"%{text}%"))
        case BeginsWith(prefix=prefix):
            return _any(prefix, lambda text: func.substr(column, 1, len(text)) == text)


def _bounded(column: ColumnElement[Any], comparison: Comparison, value: float) -> ColumnElement[bool]:
    match comparison:
        case Comparison.GTE:
            return column >= value
        case Comparison.GT:
            return column > value
        case Comparison.LTE:
            return column <= value
        case Comparison.LT:
            return column < value


def _any(pattern: str, meets: Any) -> ColumnElement[bool]:
    if pattern == EVERYTHING:
        return true()
    return or_(*(meets(text) for text in pattern.split("|")))
