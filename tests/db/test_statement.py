"""Text statements as their driver takes them."""

import pytest

from flowd.db.dialect import Kind
from flowd.db.statement import as_one, compiled


@pytest.mark.parametrize(
    ("kind", "sql", "arguments"),
    [(Kind.SQLITE, "SELECT ?, ?, ?", ["a", "b", "a"]), (Kind.POSTGRESQL, "SELECT $1, $2, $1", ["a", "b"])],
)
def test_a_parameter_may_stand_twice_and_one_too_many_is_passed_over(
    kind: Kind, sql: str, arguments: list[str]
) -> None:
    statement = compiled(kind, "SELECT :one, :two, :one")

    assert statement.sql == sql
    assert statement.arguments({"two": "b", "three": "c", "one": "a"}) == arguments


def test_casts_times_and_percents_are_no_parameters() -> None:
    statement = compiled(Kind.POSTGRESQL, "SELECT '12:30', 7 % 2, x::text FROM t WHERE y = :y")

    assert statement.sql == "SELECT '12:30', 7 % 2, x::text FROM t WHERE y = $1"


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(KeyError, match="task"):
        compiled(Kind.SQLITE, "SELECT :task").arguments({"run": 1})


def test_a_text_is_compiled_once() -> None:
    assert compiled(Kind.SQLITE, "SELECT :once") is compiled(Kind.SQLITE, "SELECT :once")


def test_changes_are_one_statement_whose_placeholders_are_numbered_through() -> None:
    together = as_one(
        Kind.POSTGRESQL,
        ("UPDATE a SET x = :x WHERE y = :rows", "INSERT INTO b SELECT :rows", "DELETE FROM c WHERE z = :x OR w = :x"),
    )

    assert together.sql == (
        "WITH c0 AS (UPDATE a SET x = $1 WHERE y = $2 RETURNING 1), c1 AS (INSERT INTO b SELECT $3 RETURNING 1),"
        " c2 AS (DELETE FROM c WHERE z = $4 OR w = $4 RETURNING 1)"
        " SELECT (SELECT COUNT(*) FROM c0), (SELECT COUNT(*) FROM c1), (SELECT COUNT(*) FROM c2)"
    )
    assert together.names == ((0, "x"), (0, "rows"), (1, "rows"), (2, "x"))
