"""SQL operators, sensors and checks on a real SQLite file; other databases need a driver, and say so."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowd import DAG, EmptyOperator
from flowd.domain.errors import InvalidDag
from flowd.operators.services.sql import BranchSQLOperator, SQLExecuteQueryOperator, SqlSensor
from flowd.operators.services.sql_by_kind import SqliteOperator
from flowd.operators.services.sql_checks import (
    SQLCheckOperator,
    SQLColumnCheckOperator,
    SQLTableCheckOperator,
    SQLThresholdCheckOperator,
    SQLValueCheckOperator,
)
from flowd.operators.services.sql_hook import DbApiHook, SqliteHook, fetch_one_handler
from flowd.operators.services.sql_text import split_statements
from flowd.sdk.exceptions import AirflowException, AirflowFailException
from tests.operators.running import context_for, execute
from tests.operators.services.conftest import Connect

TABLE = "CREATE TABLE orders (id INTEGER, price REAL, note TEXT); INSERT INTO orders VALUES (1, 5, 'a;b'), (2, 7, NULL)"


@pytest.fixture(autouse=True)
def orders(database: Path) -> None:
    """A table of two orders."""
    SqliteHook(sqlite_conn_id="db").run(TABLE, split_statements=True)


def query(sql: Any, kind: Any = SQLExecuteQueryOperator, **keywords: Any) -> Any:
    with DAG("etl", params={"least": 6}):
        return kind(task_id="ask", sql=sql, **{"conn_id": "db", **keywords})


def test_rows_are_the_xcom() -> None:
    assert execute(query("SELECT id FROM orders ORDER BY id")) == [(1,), (2,)]
    assert execute(query("SELECT id FROM orders WHERE price > {{ params.least }}")) == [(2,)]
    assert execute(query("SELECT id FROM orders WHERE id = :id", parameters={"id": "{{ 1 + 1 }}"})) == [(2,)]
    assert execute(query("SELECT 1", handler=fetch_one_handler)) == (1,)
    assert execute(query("SELECT 1", do_xcom_push=False)) is None
    assert execute(query("SELECT 1", kind=SqliteOperator, conn_id=None, sqlite_conn_id="db")) == [(1,)]


def test_several_statements_are_one_transaction(database: Path) -> None:
    wrong = ["INSERT INTO orders VALUES (3, 1, 'x')", "SELECT nonsense FROM orders"]

    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        execute(query(wrong))
    assert execute(query("SELECT COUNT(*) FROM orders")) == [(2,)]
    with pytest.raises(sqlite3.OperationalError):
        execute(query(wrong, autocommit=True))
    assert execute(query("SELECT COUNT(*) FROM orders")) == [(3,)]
    assert execute(query("SELECT 1; SELECT 2", split_statements=True)) == [(2,)]
    assert execute(query("SELECT 1; SELECT 2", split_statements=True, return_last=False)) == [[(1,)], [(2,)]]
    assert execute(query(["SELECT 1", "SELECT 2"])) == [[(1,)], [(2,)]]


def test_a_file_holds_the_sql(tmp_path: Path) -> None:
    (tmp_path / "ask.sql").write_text("SELECT {{ params.least }}\n")
    with DAG("etl", params={"least": 6}, template_searchpath=str(tmp_path)):
        task = SQLExecuteQueryOperator(task_id="ask", sql="ask.sql", conn_id="db")

    assert execute(task) == [(6,)]


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("a; b ;", ["a", "b"]),
        ("INSERT 'x;y'; SELECT \"a;b\"", ["INSERT 'x;y'", 'SELECT "a;b"']),
        ("-- only; this\n; a -- b; c\n", ["a -- b; c"]),
        ("/* a; */ b; c", ["/* a; */ b", "c"]),
        ("DO $x$ BEGIN; END; $x$; d", ["DO $x$ BEGIN; END; $x$", "d"]),
        ("'it''s; one'", ["'it''s; one'"]),
        ("", []),
    ],
)
def test_sql_is_split_at_the_semicolons_between_statements(sql: str, statements: list[str]) -> None:
    assert split_statements(sql) == statements


def test_a_database_without_a_driver_says_which_to_install(connect: Connect) -> None:
    connect("pg", conn_type="postgres", host="h")
    connect("odd", conn_type="oracle", host="h")

    with pytest.raises(AirflowException, match="no driver for it is installed on this worker; install one of psycopg,"):
        execute(query("SELECT 1", conn_id="pg"))
    with pytest.raises(AirflowException, match="is of type 'oracle'; flowd speaks SQL over sqlite, postgres, mysql"):
        execute(query("SELECT 1", conn_id="odd"))
    with pytest.raises(AirflowException, match="has no conn_id"):
        execute(query("SELECT 1", conn_id=None))


def test_a_hook_of_ones_own_needs_only_a_connection(database: Path) -> None:
    class Own(DbApiHook):
        def get_conn(self) -> Any:
            return sqlite3.connect(database)

    hook = Own(conn_id="whatever")
    hook.insert_rows("orders", [(8, 1, "x"), (9, 2, "y")], target_fields=["id", "price", "note"], commit_every=1)

    assert hook.get_records("SELECT id FROM orders WHERE id > 7") == [(8,), (9,)]
    assert hook.test_connection() == (True, "the database answered")


def test_a_branch_follows_the_first_value() -> None:
    for sql, followed in [("SELECT 1", "yes"), ("SELECT 'off'", "no"), ("SELECT 'true'", "yes")]:
        with DAG("etl"):
            branch = BranchSQLOperator(
                task_id="b", sql=sql, conn_id="db", follow_task_ids_if_true="yes", follow_task_ids_if_false="no"
            )
            branch >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]
        context = context_for(branch)

        assert execute(branch, context) == followed
        assert context["ti"].skipped == ["no" if followed == "yes" else "yes"]
    with pytest.raises(AirflowException, match="neither true nor false"):
        execute(query("SELECT 'perhaps'", BranchSQLOperator, follow_task_ids_if_true=[], follow_task_ids_if_false=[]))


def test_a_sensor_waits_for_a_true_value(database: Path) -> None:
    asked: list[Any] = []

    def arrive(value: Any) -> bool:
        asked.append(value)
        if len(asked) == 2:
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("INSERT INTO orders VALUES (3, 1, 'x')")
                connection.commit()
        return bool(value == 3)

    execute(query("SELECT COUNT(*) FROM orders", SqlSensor, success=arrive, poke_interval=0))

    assert asked == [2, 2, 3]
    with pytest.raises(AirflowException, match="failure said so of 3"):
        execute(query("SELECT COUNT(*) FROM orders", SqlSensor, failure=lambda value: value > 2))
    with pytest.raises(AirflowException, match="returned no row, and fail_on_empty is set"):
        execute(query("SELECT 1 WHERE 0", SqlSensor, fail_on_empty=True))


@pytest.mark.parametrize(
    ("kind", "keywords", "error"),
    [
        (SQLCheckOperator, {"sql": "SELECT 1, 'x'"}, None),
        (SQLCheckOperator, {"sql": "SELECT 1, 0"}, r"returned \[1, 0\], of which not all is true"),
        (SQLCheckOperator, {"sql": "SELECT 1 WHERE 0"}, "returned no row"),
        (SQLValueCheckOperator, {"sql": "SELECT 95", "pass_value": 100, "tolerance": 0.1}, None),
        (SQLValueCheckOperator, {"sql": "SELECT 85", "pass_value": 100, "tolerance": 0.1}, "wanted 100 within 10%"),
        (SQLValueCheckOperator, {"sql": "SELECT 'a'", "pass_value": "a"}, None),
        (SQLThresholdCheckOperator, {"sql": "SELECT 5", "min_threshold": 5, "max_threshold": "SELECT 6"}, None),
        (SQLThresholdCheckOperator, {"sql": "SELECT 9", "min_threshold": 5, "max_threshold": 6}, "wanted 5.0 to 6.0"),
        (SQLColumnCheckOperator, {"column_mapping": {"note": {"null_check": {"equal_to": 1}}}}, None),
        (
            SQLColumnCheckOperator,
            {"column_mapping": {"price": {"max": {"less_than": 7}, "min": {"geq_to": 5}}}},
            r"max of price is 7.0, wanted less_than 7",
        ),
        (SQLColumnCheckOperator, {"column_mapping": {"id": {"unique_check": {"equal_to": 0}}}}, None),
        (SQLTableCheckOperator, {"checks": {"rows": {"check_statement": "COUNT(*) = 2"}}}, None),
        (
            SQLTableCheckOperator,
            {"checks": {"rows": {"check_statement": "COUNT(*) = 2", "partition_clause": "id > 1"}}},
            r"failed rows \(COUNT\(\*\) = 2\)",
        ),
    ],
)
def test_checks_pass_or_say_what_was_found(kind: Any, keywords: dict[str, Any], error: str | None) -> None:
    given = keywords if "sql" in keywords else {"table": "orders", **keywords}
    with DAG("etl"):
        task = kind(task_id="check", conn_id="db", **given)
        hopeless = kind(task_id="hopeless", conn_id="db", retry_on_failure=False, **given)

    if error is None:
        execute(task)
        return
    with pytest.raises(AirflowException, match=error):
        execute(task)
    with pytest.raises(AirflowFailException, match=error):
        execute(hopeless)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [({"id": {"median": {"equal_to": 1}}}, "there is no check 'median'"), ({"id": {"max": {}}}, "has no bound")],
)
def test_a_check_that_is_none_is_refused_where_the_dag_is_written(mapping: Any, message: str) -> None:
    with DAG("etl"), pytest.raises(InvalidDag, match=message):
        SQLColumnCheckOperator(task_id="check", conn_id="db", table="orders", column_mapping=mapping)
