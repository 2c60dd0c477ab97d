"""Airflow's operators for one kind of database: SQLExecuteQueryOperator with the old keyword of its connection."""

from typing import Any

from flowd.operators.services.sql import SQLExecuteQueryOperator


class SqliteOperator(SQLExecuteQueryOperator):
    """Run SQL over a connection of type sqlite."""

    default_conn_id = "sqlite_default"

    def __init__(self, *, sqlite_conn_id: str | None = None, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id or sqlite_conn_id, **kwargs)


class PostgresOperator(SQLExecuteQueryOperator):
    """Run SQL over a connection of type postgres."""

    default_conn_id = "postgres_default"

    def __init__(self, *, postgres_conn_id: str | None = None, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id or postgres_conn_id, **kwargs)


class MySqlOperator(SQLExecuteQueryOperator):
    """Run SQL over a connection of type mysql."""

    default_conn_id = "mysql_default"

    def __init__(self, *, mysql_conn_id: str | None = None, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id or mysql_conn_id, **kwargs)
