"""What a text statement answers: its rows, as tuples or by the names of their columns, and how many it touched."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy.exc import MultipleResultsFound, NoResultFound


class Row(Protocol):
    """A row that answers to the names of its columns: a driver's own, or one of SQLAlchemy's mappings."""

    def __getitem__(self, name: str, /) -> Any: ...

    def keys(self) -> Iterable[str]: ...


Each = TypeVar("Each", covariant=True)


class _Each(Generic[Each]):
    """Rows in the database's order, all of them here already: they may be read as often as one likes."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Each]:
        raise NotImplementedError

    def all(self) -> Sequence[Each]:
        """Return every row."""
        return list(self)

    def first(self) -> Each | None:
        """Return the first row, None for none."""
        return next(iter(self), None)

    def one_or_none(self) -> Each | None:
        """Return the only row, None for none; raise MultipleResultsFound where there are more."""
        found = list(self)
        if len(found) > 1:
            raise MultipleResultsFound(f"{len(found)} rows were found; wanted one at most")
        return found[0] if found else None

    def one(self) -> Each:
        """Return the only row; raise NoResultFound or MultipleResultsFound."""
        found = self.one_or_none()
        if found is None:
            raise NoResultFound("no row was found; wanted one")
        return found


class NamedRows(_Each[Row]):
    """Rows that answer to the names of their columns."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


class Rows(_Each[tuple[Any, ...]]):
    """Rows as tuples. `rowcount` is how many a change touched or a query returned, -1 where the database says neither.

    `values` and `named` are the same rows in two forms, or one form that is both, as drivers' rows are.
    """

    __slots__ = ("_named", "_values", "rowcount")

    def __init__(self, values: Sequence[Iterable[Any]], named: Sequence[Row], rowcount: int) -> None:
        self._values = values
        self._named = named
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return map(tuple, self._values)

    def mappings(self) -> NamedRows:
        """Return the rows by the names of their columns."""
        return NamedRows(self._named)

    def scalar(self) -> Any:
        """Return the first column of the first row, None for none."""
        return _first_column(self.first())

    def scalar_one(self) -> Any:
        """Return the first column of the only row; raise NoResultFound or MultipleResultsFound."""
        return _first_column(self.one())

    def scalar_one_or_none(self) -> Any:
        """Return the first column of the only row, None for none; raise MultipleResultsFound."""
        return _first_column(self.one_or_none())


def _first_column(row: tuple[Any, ...] | None) -> Any:
    return None if row is None else row[0]
