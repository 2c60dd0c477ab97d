"""Rows: as tuples, by name, and the one that is wanted."""

from typing import Any

import pytest
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from flowd.db.rows import Rows


def rows(*values: tuple[Any, ...]) -> Rows:
    return Rows(values, [{"id": id_, "body": body} for id_, body in values], len(values))


NONE, ONE, TWO = rows(), rows((1, "a")), rows((1, "a"), (2, "b"))


def test_rows_are_tuples_in_their_order_as_often_as_one_likes() -> None:
    assert [id_ for id_, _ in TWO] == [1, 2]
    assert list(TWO) == list(TWO.all()) == [(1, "a"), (2, "b")]
    assert TWO.rowcount == 2


def test_mappings_answer_to_the_names_of_columns() -> None:
    assert [row["body"] for row in TWO.mappings()] == ["a", "b"]
    assert ONE.mappings().one()["id"] == 1
    assert NONE.mappings().one_or_none() is None


def test_the_first_of_none_is_none() -> None:
    assert (NONE.first(), TWO.first()) == (None, (1, "a"))


def test_the_only_row_is_refused_where_it_is_missing_or_not_the_only_one() -> None:
    assert (ONE.one(), ONE.one_or_none(), NONE.one_or_none()) == ((1, "a"), (1, "a"), None)
    with pytest.raises(NoResultFound):
        NONE.one()
    for ask in (TWO.one, TWO.one_or_none, TWO.scalar_one, TWO.scalar_one_or_none, TWO.mappings().one):
        with pytest.raises(MultipleResultsFound, match="2 rows"):
            ask()


def test_a_scalar_is_the_first_column() -> None:
    assert (TWO.scalar(), NONE.scalar()) == (1, None)
    assert (ONE.scalar_one(), ONE.scalar_one_or_none(), NONE.scalar_one_or_none()) == (1, 1, None)
    with pytest.raises(NoResultFound):
        NONE.scalar_one()
