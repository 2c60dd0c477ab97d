"""Operators that fail where data is not as it should be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.operators.services.sql import BaseSQLOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowException, AirflowFailException

_COLUMN_CHECKS = {
    "null_check": "SUM(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END)",
    "distinct_check": "COUNT(DISTINCT({column}))",
    "unique_check": "COUNT(*) - COUNT(DISTINCT({column}))",
    "min": "MIN({column})",
    "max": "MAX({column})",
}
_BOUNDS = ("equal_to", "greater_than", "less_than", "geq_to", "leq_to")


class _Check(BaseSQLOperator):
    """Says how a check has failed: at once where no retry is to follow."""

    def _fail(self, reason: str) -> AirflowException:
        text = f"task {self.task_id!r}: {reason}"
        return AirflowException(text) if self.retry_on_failure else AirflowFailException(text)


class SQLCheckOperator(_Check):
    """Every value of the first row must be true."""

    template_fields: Sequence[str] = ("sql", "parameters")
    template_ext: Sequence[str] = (".hql", ".sql")

    def __init__(self, *, sql: str, parameters: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql, self.parameters = sql, parameters

    def execute(self, context: Context) -> None:
        """Ask; raise AirflowException with the row where a value is false, or there is no row."""
        row = self.get_db_hook().get_first(self.sql, self.parameters)
        if not row:
            raise self._fail("the query returned no row")
        if not all(row.values() if isinstance(row, Mapping) else row):
            raise self._fail(f"the query returned {list(row)!r}, of which not all is true")


class SQLValueCheckOperator(_Check):
    """Every value of the first row must be `pass_value`; a number may differ by the share `tolerance` of it."""

    template_fields: Sequence[str] = ("sql", "pass_value", "parameters")
    template_ext: Sequence[str] = (".hql", ".sql")

    def __init__(
        self, *, sql: str, pass_value: Any, tolerance: float | None = None, parameters: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sql, self.pass_value, self.tolerance, self.parameters = sql, pass_value, tolerance, parameters

    def execute(self, context: Context) -> None:
        """Ask; raise AirflowException where a value is another."""
        row = self.get_db_hook().get_first(self.sql, self.parameters)
        if not row:
            raise self._fail("the query returned no row")
        wanted = _number(self.pass_value)
        if not all(self._passes(value, wanted) for value in row):
            within = f" within {self.tolerance:.0%}" if self.tolerance else ""
            raise self._fail(f"the query returned {list(row)!r}; wanted {self.pass_value!r}{within}")

    def _passes(self, value: Any, wanted: float | None) -> bool:
        number = _number(value)
        if wanted is None or number is None:
            return str(value) == str(self.pass_value)
        return abs(number - wanted) <= abs(wanted) * (self.tolerance or 0)


class SQLThresholdCheckOperator(_Check):
    """The first value must lie within the thresholds, both inclusive; each is a number or a query for one."""

    template_fields: Sequence[str] = ("sql", "min_threshold", "max_threshold")
    template_ext: Sequence[str] = (".hql", ".sql")

    def __init__(self, *, sql: str, min_threshold: Any, max_threshold: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.min_threshold, self.max_threshold = (_number_or(one) for one in (min_threshold, max_threshold))

    def execute(self, context: Context) -> None:
        """Ask; raise AirflowException where the value lies beyond."""
        value, least, most = (self._value(one) for one in (self.sql, self.min_threshold, self.max_threshold))
        if not least <= value <= most:
            raise self._fail(f"the query returned {value}; wanted {least} to {most}")

    def _value(self, given: Any) -> float:
        found = given
        if isinstance(given, str):
            row = self.get_db_hook().get_first(given)
            found = row[0] if row else None
        number = _number(found)
        if number is None:
            raise self._fail(f"{given!r} gave {found!r}; wanted a number")
        return number


class SQLColumnCheckOperator(_Check):
    """Check columns of a table: `{"column": {"null_check": {"equal_to": 0}, "max": {"leq_to": 9, "tolerance": 0.1}}}`.

    The checks are null_check, distinct_check, unique_check, min and max; the bounds equal_to, greater_than, less_than,
    geq_to and leq_to. A `partition_clause` of the table or of one check narrows its rows.
    """

    template_fields: Sequence[str] = ("table", "partition_clause")

    def __init__(
        self,
        *,
        table: str,
        column_mapping: Mapping[str, Mapping[str, Any]],
        partition_clause: str | None = None,
        accept_none: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table, self.column_mapping = table, column_mapping
        self.partition_clause, self.accept_none = partition_clause, accept_none
        for column, checks in column_mapping.items():
            for name, bounds in checks.items():
                _check_bounds(name, bounds, f"task {self.task_id!r}: column {column!r}")

    def execute(self, context: Context) -> None:
        """Ask for every check; raise AirflowException that names all that failed."""
        hook, failed = self.get_db_hook(), []
        for column, checks in self.column_mapping.items():
            for name, bounds in checks.items():
                clauses = [one for one in (self.partition_clause, bounds.get("partition_clause")) if one]
                where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
                row = hook.get_first(f"SELECT {_COLUMN_CHECKS[name].format(column=column)} FROM {self.table}{where}")
                value = row[0] if row else None
                if not _is_within(0 if value is None and self.accept_none else value, bounds):
                    failed.append(f"{name} of {column} is {value!r}, wanted {_told(bounds)}")
        if failed:
            raise self._fail(f"table {self.table}: {'; '.join(failed)}")


class SQLTableCheckOperator(_Check):
    """Check a table: `{"row_count": {"check_statement": "COUNT(*) > 0", "partition_clause": "day = '…'"}}`."""

    template_fields: Sequence[str] = ("table", "partition_clause")

    def __init__(
        self, *, table: str, checks: Mapping[str, Mapping[str, Any]], partition_clause: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.table, self.checks, self.partition_clause = table, checks, partition_clause
        for name, check in checks.items():
            if "check_statement" not in check:
                raise InvalidDag(f"task {self.task_id!r}: check {name!r} has no check_statement")

    def execute(self, context: Context) -> None:
        """Ask for every check; raise AirflowException that names all that failed."""
        hook, failed = self.get_db_hook(), []
        for name, check in self.checks.items():
            clauses = [one for one in (self.partition_clause, check.get("partition_clause")) if one]
            where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
            statement = check["check_statement"]
            row = hook.get_first(f"SELECT CASE WHEN {statement} THEN 1 ELSE 0 END FROM {self.table}{where}")
            if not row or not row[0]:
                failed.append(f"{name} ({statement})")
        if failed:
            raise self._fail(f"table {self.table} failed {', '.join(failed)}")


def _check_bounds(name: str, bounds: Mapping[str, Any], where: str) -> None:
    if name not in _COLUMN_CHECKS:
        raise InvalidDag(f"{where}: there is no check {name!r}; wanted one of {', '.join(_COLUMN_CHECKS)}")
    if not set(bounds) & set(_BOUNDS):
        raise InvalidDag(f"{where}: check {name!r} has no bound; wanted one of {', '.join(_BOUNDS)}")


def _is_within(value: Any, bounds: Mapping[str, Any]) -> bool:
    number = _number(value)
    if number is None:
        return False
    slack = bounds.get("tolerance") or 0.0
    tests: dict[str, Callable[[float], bool]] = {
        "equal_to": lambda bound: abs(number - bound) <= abs(bound) * slack,
        "greater_than": lambda bound: number > bound - abs(bound) * slack,
        "less_than": lambda bound: number < bound + abs(bound) * slack,
        "geq_to": lambda bound: number >= bound - abs(bound) * slack,
        "leq_to": lambda bound: number <= bound + abs(bound) * slack,
    }
    return all(test(bounds[name]) for name, test in tests.items() if name in bounds)


def _told(bounds: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {bounds[name]}" for name in (*_BOUNDS, "tolerance") if name in bounds)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _number_or(value: Any) -> Any:
    number = _number(value)
    return value if number is None else number
