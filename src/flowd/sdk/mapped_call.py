"""MappedCall: how the operator of one instance of a mapped task is made, from what all share and what is its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.keywords import nearest
from flowd.sdk.operator_defaults import accepted_keywords, merged_default_args
from flowd.sdk.resolvable import LiteralValue

_FOR_ALL = frozenset(
    (
        "task_id", "dag", "task_group", "owner", "retries", "retry_delay", "retry_exponential_backoff",
        "max_retry_delay", "start_date", "end_date", "depends_on_past", "wait_for_downstream", "default_args",
        "priority_weight", "weight_rule", "queue", "pool", "pool_slots", "execution_timeout", "trigger_rule",
        "run_as_user", "task_concurrency", "max_active_tis_per_dag", "max_active_tis_per_dagrun", "inlets", "outlets",
        "task_display_name", "map_index_template", "on_lost", "start_method", "multiple_outputs",
        "on_execute_callback", "on_failure_callback", "on_success_callback", "on_retry_callback",
        "on_skipped_callback",
    )
)  # fmt: skip
"""What the scheduler must know of the task as a whole."""


@dataclass(frozen=True, slots=True)
class MappedCall:
    """The class and the keywords that all instances share; what is expanded goes into `argument` where there is one."""

    operator_class: Any
    keywords: Mapping[str, Any]
    where: str
    argument: str | None = None

    def check(self, names: Iterable[str]) -> None:
        """Raise InvalidDag for arguments that cannot be expanded: unknown, shared already, or the scheduler's."""
        shared = self.keywords.get(self.argument, {}) if self.argument else self.keywords
        known = None if self.argument else accepted_keywords(self.operator_class)
        for name in names:
            if name in shared:
                raise InvalidDag(f"{self.where}: argument {name!r} is in partial() and in expand(); give it once")
            if known is not None and name in _FOR_ALL:
                raise InvalidDag(f"{self.where}: {name!r} is of the task as a whole; give it to partial()")
            if known is not None and name not in known:
                raise InvalidDag(f"{self.where}: unknown keyword {name!r}{nearest(name, known)}")

    def with_defaults(self) -> "MappedCall":
        """Return the call with the default arguments that hold where the DAG is being written."""
        given = self.keywords
        merged = merged_default_args(given.get("dag"), given.get("task_group"), given.get("default_args"))
        return replace(self, keywords={**given, "default_args": merged})

    def made(self, expanded: Mapping[str, Any], outside: Iterable[str], **place: Any) -> Any:
        """Return the operator of one instance; values from `outside`, other tasks, are not taken for templates."""
        try:
            self.check(expanded)
        except InvalidDag as error:
            raise AirflowException(str(error)) from error
        if self.argument is not None:
            values = {name: LiteralValue(one) if name in outside else one for name, one in expanded.items()}
            shared = self.keywords.get(self.argument) or {}
            return self.operator_class(**{**self.keywords, self.argument: {**shared, **values}, **place})
        operator = self.operator_class(**{**self.keywords, **expanded, **place})
        operator.fields_as_they_are = frozenset(outside)
        return operator
