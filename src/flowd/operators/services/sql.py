"""SQLExecuteQueryOperator, BranchSQLOperator and SqlSensor: SQL over a connection."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flowd.operators.branch import follow
from flowd.operators.returned_value import log_returned
from flowd.operators.services.sql_hook import DbApiHook, Handler, fetch_all_handler
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.base_sensor import BaseSensorOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowException

_TRUE = {"true", "t", "yes", "y", "on", "1"}
_FALSE = {"false", "f", "no", "n", "off", "0"}


class BaseSQLOperator(BaseOperator):
    """What speaks SQL over connection `conn_id`; `database` takes the place of the connection's own."""

    conn_id_field = "conn_id"
    default_conn_id: str | None = None
    ui_color = "#cdaaed"

    def __init__(
        self,
        *,
        conn_id: str | None = None,
        database: str | None = None,
        hook_params: Mapping[str, Any] | None = None,
        retry_on_failure: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id or self.default_conn_id
        self.database = database
        self.hook_params = dict(hook_params or {})
        self.retry_on_failure = retry_on_failure

    def get_db_hook(self) -> DbApiHook:
        """Return the hook of the connection."""
        if self.conn_id is None:
            raise AirflowException(f"task {self.task_id!r} has no conn_id; name the connection of its database")
        return DbApiHook(conn_id=self.conn_id, database=self.database)


class SQLExecuteQueryOperator(BaseSQLOperator):
    """Run SQL: a text, a list of statements, or the name of a .sql file. What `handler` returns is the XCom."""

    template_fields: Sequence[str] = ("sql", "parameters", "conn_id", "database", "hook_params")
    template_ext: Sequence[str] = (".sql", ".json")
    template_fields_renderers = {"sql": "sql", "parameters": "json", "hook_params": "json"}  # noqa: RUF012

    def __init__(
        self,
        *,
        sql: str | Iterable[str],
        autocommit: bool = False,
        parameters: Any = None,
        handler: Handler | None = fetch_all_handler,
        output_processor: Callable[[list[Any], list[Any]], Any] | None = None,
        split_statements: bool | None = None,
        return_last: bool = True,
        show_return_value_in_logs: bool = False,
        requires_result_fetch: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql if isinstance(sql, str) else list(sql)
        self.autocommit, self.parameters, self.handler = autocommit, parameters, handler
        self.split_statements = bool(split_statements)
        self.return_last = return_last
        self.show_return_value_in_logs = show_return_value_in_logs
        self.requires_result_fetch = requires_result_fetch

    def execute(self, context: Context) -> Any:
        """Run it, and return the rows as lists of lists."""
        is_wanted = self.do_xcom_push or self.requires_result_fetch
        found = self.get_db_hook().run(
            self.sql,
            autocommit=self.autocommit,
            parameters=self.parameters,
            handler=self.handler if is_wanted else None,
            split_statements=self.split_statements,
            return_last=self.return_last,
        )
        if self.show_return_value_in_logs:
            log_returned(self.log, found)
        return found


class BranchSQLOperator(BaseSQLOperator):
    """Follow one branch where the first value of the result is true, the other where not."""

    template_fields: Sequence[str] = ("sql", "parameters")
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        sql: str,
        follow_task_ids_if_true: str | Sequence[str],
        follow_task_ids_if_false: str | Sequence[str],
        parameters: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql, self.parameters = sql, parameters
        self.follow_task_ids_if_true = follow_task_ids_if_true
        self.follow_task_ids_if_false = follow_task_ids_if_false

    def execute(self, context: Context) -> Any:
        """Ask, and skip the branch that is not followed."""
        row = self.get_db_hook().get_first(self.sql, self.parameters)
        if not row:
            raise AirflowException(f"task {self.task_id!r}: the query returned no row; wanted one with a true or false")
        is_true = _truth(row[0], self.task_id)
        return follow(self, self.follow_task_ids_if_true if is_true else self.follow_task_ids_if_false, context)


class SqlSensor(BaseSensorOperator):
    """Wait until the first value of the first row is true, or `success` says so of it.

    `failure` fails the task when it says so; without a row it is "not yet", or a failure with `fail_on_empty`.
    """

    template_fields: Sequence[str] = ("sql", "hook_params", "parameters")
    template_ext: Sequence[str] = (".hql", ".sql")
    ui_color = "#7c7287"

    def __init__(
        self,
        *,
        conn_id: str,
        sql: str,
        parameters: Any = None,
        success: Callable[[Any], Any] | None = None,
        failure: Callable[[Any], Any] | None = None,
        selector: Callable[[Any], Any] | None = None,
        fail_on_empty: bool = False,
        hook_params: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id, self.sql, self.parameters = conn_id, sql, parameters
        self.success, self.failure, self.selector = success, failure, selector
        self.fail_on_empty, self.hook_params = fail_on_empty, dict(hook_params or {})

    def poke(self, context: Context) -> bool:
        """Ask once."""
        rows = DbApiHook(conn_id=self.conn_id).get_records(self.sql, self.parameters)
        if not rows:
            if self.fail_on_empty:
                raise AirflowException(f"task {self.task_id!r}: the query returned no row, and fail_on_empty is set")
            return False
        value = self.selector(rows[0]) if self.selector is not None else rows[0][0]
        if self.failure is not None and self.failure(value):
            raise AirflowException(f"task {self.task_id!r}: failure said so of {value!r}")
        return bool(self.success(value) if self.success is not None else value)


def _truth(value: Any, task_id: str) -> bool:
    if isinstance(value, (bool, int, float)):
        return bool(value)
    word = str(value).strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise AirflowException(f"task {task_id!r}: the query returned {value!r}, which is neither true nor false")
