"""Listing: one way to filter, order and page every list.

A list is described once, by its named fields; what a caller may filter and order by follows from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    RowMapping,
    Select,
    Subquery,
    Table,
    and_,
    func,
    literal_column,
    or_,
    select,
    true,
)

from flowd.db.moments import to_db
from flowd.db.tables import dag_run
from flowd.db.transaction import Transaction
from flowd.db.views.sight import is_seen

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
    """A column of a list. `choices` are the only values it takes; `pattern_name` is how patterns call the field.

    `order_by` are the columns it is ordered by, where not by itself. `indexed` are sets of choices whose rows have an
    index of their own; of the choices in `few` there are never many rows.
    """

    column: ColumnElement[Any]
    kind: FieldKind = FieldKind.TEXT
    choices: tuple[str, ...] = ()
    pattern_name: str | None = None
    order_by: tuple[ColumnElement[Any], ...] = ()
    indexed: tuple[tuple[str, ...], ...] = ()
    few: tuple[str, ...] = ()


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
    """A list: its rows, the fields it is filtered and ordered by, and the key that makes its order total.

    `dag` is the column that says which DAG a row is of, None where it has to do with none: nobody is shown rows of DAGs
    that they may not see. `run` is the column with the key of a row's run, where it has `dag_id` and `run_id` as
    fields; `order_in_run` is how the rows of one run are ordered, where otherwise. `rows` is the table that has a row
    for each of the source: what asks for nothing else is counted in it alone.
    """

    columns: tuple[ColumnElement[Any], ...]
    source: FromClause
    fields: Mapping[str, Field]
    key: ColumnElement[Any]
    dag: ColumnElement[Any] | None
    order_by: tuple[Order, ...] = ()
    run: ColumnElement[Any] | None = None
    order_in_run: tuple[Order, ...] = ()
    rows: Table | None = None


async def count(tx: Transaction, view: View, listing: Listing, *also: ColumnElement[bool]) -> int:
    """Return how many rows meet the conditions, at the moment that the transaction sees or at a later one."""
    statement = select(func.count()).select_from(counted(view, listing, *also))
    statement = statement.where(conditions_of(tx, view, listing), *also)

    async def ask() -> int:
        return int((await tx.execute(statement)).scalar_one())

    if tx.joint is None or also:
        return await ask()
    # A million rows take a tenth of a second to be counted, on every core: not once for each who looks at the list.
    return await tx.joint.get((id(view), listing.conditions, tx.actor and tx.actor.dag_names), ask)


def counted(view: View, listing: Listing, *also: ColumnElement[bool]) -> FromClause:
    """Return where the rows of a listing can be counted: the joins only add columns where no condition reads them."""
    if view.rows is None or also:
        return view.source
    asked = [view.fields[one.field].column for one in listing.conditions]
    named = {condition.field for condition in listing.conditions}
    is_of_a_run = view.run is not None and {"dag_id", "run_id"} <= named
    own = [column for column in asked if isinstance(column, Column) and column.table is view.rows]
    return view.rows if len(own) == len(asked) and not is_of_a_run else view.source


async def page(tx: Transaction, view: View, listing: Listing, *also: ColumnElement[bool]) -> Sequence[RowMapping]:
    """Return the wanted page of the rows that meet the conditions."""
    if listing.limit == 0:
        return []
    where = (conditions_of(tx, view, listing), *also)
    chosen = _sorted_alone(view, listing, *where) if not also else None
    if chosen is None:
        statement = _ordered(select(*view.columns).select_from(view.source).where(*where), view, listing)
    else:
        found = view.source.join(chosen, chosen.c.key == view.key)
        statement = select(*view.columns).select_from(found).order_by(*_order(view, listing))
    return (await tx.execute(statement)).mappings().all()


def _sorted_alone(view: View, listing: Listing, *where: ColumnElement[bool]) -> Subquery | None:
    """Return the keys of the page, found in the rows' own table, where all of that has to be sorted.

    What no index orders is sorted as a whole: a million keys are far less than a million rows with all that they are
    joined with. None where an index may give the order, or where other tables have a say in it.
    """
    sorted_by = sortings(view, listing)
    is_indexed = not any(is_nullable(one.column) for one in sorted_by)
    if view.rows is None or listing.limit is None or is_indexed or counted(view, listing) is not view.rows:
        return None
    if not all(isinstance(one.column, Column) and one.column.table is view.rows for one in sorted_by):
        return None
    statement = select(view.key.label("key")).select_from(view.rows).where(*where)
    return _ordered(statement, view, listing).subquery("page")


@dataclass(frozen=True, slots=True)
class Sorting:
    """A column that a list is ordered by; what has no value comes last, or where it `is_mirrored`, first."""

    column: ColumnElement[Any]
    is_descending: bool = False
    is_mirrored: bool = False

    @property
    def mirrored(self) -> "Sorting":
        """The same, from the end of the list on."""
        return replace(self, is_mirrored=not self.is_mirrored)

    @property
    def clauses(self) -> list[ColumnElement[Any]]:
        """What ORDER BY says."""
        column = self.column
        by_value = column.desc() if self.is_descending != self.is_mirrored else column.asc()
        if not is_nullable(column):
            # Nothing but the column, so that an index can give the order.
            return [by_value]
        # Databases disagree on where NULL sorts: spelt out, so that pages are the same everywhere.
        is_null = column.is_(None)
        return [is_null.desc() if self.is_mirrored else is_null, by_value]


def is_nullable(column: ColumnElement[Any]) -> bool:
    """Return whether the column may hold NULL, as whatever is computed may."""
    return not isinstance(column, Column) or bool(column.nullable)


def order_of(view: View, listing: Listing) -> tuple[Order, ...]:
    """Return the order that was asked for, or else the view's own."""
    if listing.order_by:
        return listing.order_by
    return view.order_in_run if view.order_in_run and _run_of(view, listing) else view.order_by


def sortings(view: View, listing: Listing) -> list[Sorting]:
    """Return what the list is ordered by, which is a total order: the key is among it.

    The key goes the way of what is before it: so an index on both gives the order, read from either end.
    """
    found = [
        Sorting(column, order.is_descending)
        for order in order_of(view, listing)
        for column in view.fields[order.field].order_by or (view.fields[order.field].column,)
    ]
    if any(one.column is view.key for one in found):
        return found
    return [*found, Sorting(view.key, is_descending=bool(found) and found[-1].is_descending)]


def _ordered(statement: Select[*tuple[Any, ...]], view: View, listing: Listing) -> Select[*tuple[Any, ...]]:
    statement = statement.order_by(*_order(view, listing))
    return statement if listing.limit is None else statement.limit(listing.limit).offset(listing.offset)


def _order(view: View, listing: Listing) -> list[ColumnElement[Any]]:
    return [clause for one in sortings(view, listing) for clause in one.clauses]


def asks_for_few(view: View, listing: Listing) -> bool:
    """Return whether a condition leaves few rows, which are better found first and sorted then."""
    return any(
        isinstance(one, OneOf) and one.values and set(one.values) <= set(view.fields[one.field].few)
        for one in listing.conditions
    )


def conditions_of(tx: Transaction, view: View, listing: Listing) -> ColumnElement[bool]:
    """Return the condition under which a row is in the list, and may be seen by whom the transaction is for."""
    seen = true() if view.dag is None else is_seen(tx, view.dag)
    return and_(seen, *_run_of(view, listing), *(_condition(view.fields[one.field], one) for one in listing.conditions))


def _run_of(view: View, listing: Listing) -> list[ColumnElement[bool]]:
    """Return the same condition by the run's key, where one run is named: by that its rows are found."""
    ids = {one.field: one.values for one in listing.conditions if isinstance(one, OneOf) and len(one.values) == 1}
    if view.run is None or not {"dag_id", "run_id"} <= ids.keys():
        return []
    (dag_id,), (run_id,) = ids["dag_id"], ids["run_id"]
    key = select(dag_run.c.id).where(dag_run.c.dag_id == dag_id, dag_run.c.run_id == run_id)
    return [view.run == key.correlate(None).scalar_subquery()]


def _condition(field: Field, condition: Condition) -> ColumnElement[bool]:
    column = field.column
    match condition:
        case OneOf(values=values):
            return _is_one_of(field, values)
        case Bounded(comparison=comparison, value=value):
            return bounded(column, comparison, to_db(value) if isinstance(value, datetime) else value)
        case Contains(pattern=pattern):
            return contains(column, pattern)
        case BeginsWith(prefix=prefix):
            return begins_with(column, prefix)


def _is_one_of(field: Field, values: Sequence[Any]) -> ColumnElement[bool]:
    if not values or not set(values) <= set(field.choices):
        return field.column.in_(values)
    # Spelt out, with each set that has an index: a partial index serves only a statement whose own text implies it.
    sets = [values, *(states for states in field.indexed if set(values) <= set(states))]
    return and_(*(_in_words(field.column, states) for states in sets))


def _in_words(column: ColumnElement[Any], words: Sequence[str]) -> ColumnElement[bool]:
    literals: list[ColumnElement[str]] = [literal_column(f"'{word}'") for word in sorted(words)]
    return column == literals[0] if len(literals) == 1 else column.in_(literals)


def contains(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Return the condition that a text contains the pattern, as `Contains` says."""
    return _any(pattern, lambda text: column.ilike(f"%{text}%"))


def begins_with(column: ColumnElement[Any], prefix: str) -> ColumnElement[bool]:
    """Return the condition that a text begins so, as `BeginsWith` says."""
    return _any(prefix, lambda text: func.substr(column, 1, len(text)) == text)


def bounded(column: ColumnElement[Any], comparison: Comparison, value: float) -> ColumnElement[bool]:
    """Return the condition that the column lies on this side of the value."""
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
