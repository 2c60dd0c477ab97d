"""ExternalTaskSensor: waits for a run of another DAG, or for tasks in it; ExternalTaskMarker says who waits."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flowd.domain.errors import InvalidDag
from flowd.domain.states import RunState, TaskState
from flowd.operators.call_arguments import arguments_for
from flowd.operators.empty import EmptyOperator
from flowd.operators.triggers.external_task import WorkflowTrigger
from flowd.sdk.arguments import as_timedelta
from flowd.sdk.base_sensor import BaseSensorOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import (
    AirflowSkipException,
    DuplicateStateError,
    ExternalDagDeletedError,
    ExternalDagFailedError,
    ExternalDagNotFoundError,
    ExternalTaskFailedError,
    ExternalTaskGroupFailedError,
    ExternalTaskGroupNotFoundError,
    ExternalTaskNotFoundError,
)
from flowd.sdk.external_states import find_dag, run_states, task_instances
from flowd.sdk.external_wait import Found, Wanted


class ExternalTaskSensor(BaseSensorOperator):
    """Wait for tasks of `external_dag_id`, for its task group, or where neither is named for its whole run.

    What is waited for has the logical date of this run, less `execution_delta`, or is of the date or dates that
    `execution_date_fn(logical_date, …)` returns; a run without a logical date counts by its `run_after`. All of it must
    be in `allowed_states`; one in `failed_states` fails the sensor (with `soft_fail` it is skipped), and one in
    `skipped_states` skips it. With `check_existence` it fails at once where there is no such DAG, task or group.
    """

    template_fields: Sequence[str] = (
        "external_dag_id", "external_task_id", "external_task_ids", "external_task_group_id",
    )  # fmt: skip
    ui_color = "#4db7db"

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        allowed_states: Iterable[str] | None = None,
        skipped_states: Iterable[str] | None = None,
        failed_states: Iterable[str] | None = None,
        execution_delta: timedelta | None = None,
        execution_date_fn: Callable[..., Any] | None = None,
        check_existence: bool = False,
        poll_interval: timedelta | float = 2.0,
        deferrable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"sensor {self.task_id!r}"
        self.external_dag_id = external_dag_id
        self.external_task_id = external_task_id
        self.external_task_ids = external_task_ids or None
        self.external_task_group_id = external_task_group_id
        named = ("external_task_id", "external_task_ids", "external_task_group_id")
        given = [name for name in named if getattr(self, name) is not None]
        if len(given) > 1:
            raise InvalidDag(f"{where}: {' and '.join(given)} are both given; a sensor waits for one kind of thing")
        if execution_delta is not None and execution_date_fn is not None:
            raise InvalidDag(f"{where}: execution_delta and execution_date_fn are both given; one says which run it is")
        kind: type[RunState | TaskState] = TaskState if given else RunState
        self.allowed_states = _states(allowed_states or [kind.SUCCESS], kind, f"{where}: allowed_states")
        self.skipped_states = _states(skipped_states or (), kind, f"{where}: skipped_states")
        self.failed_states = _states(failed_states or (), kind, f"{where}: failed_states")
        chosen = [*self.allowed_states, *self.skipped_states, *self.failed_states]
        if doubled := sorted({state for state in chosen if chosen.count(state) > 1}):
            raise DuplicateStateError(
                f"{where}: {', '.join(doubled)} is among the allowed, skipped or failed states twice"
            )
        self.execution_delta, self.execution_date_fn = execution_delta, execution_date_fn
        self.check_existence, self.deferrable = check_existence, deferrable
        self.poll_interval = as_timedelta(poll_interval, f"{where}: poll_interval").total_seconds()

    def poke(self, context: Context) -> bool:
        """Return True where all that is waited for is in an allowed state."""
        dates = self.dates(context)
        self._check()
        found = self._found(dates)
        self.log.info("waiting for %s: %s", self._what(), found.describe(dates))
        wanted = Wanted(allowed=self.allowed_states, skipped=self.skipped_states, failed=self.failed_states)
        match wanted.verdict(found, len(dates)):
            case "failed":
                raise self._failed()
            case "skipped":
                raise AirflowSkipException(f"{self._what()} is in one of the states {', '.join(self.skipped_states)}")
            case verdict:
                return verdict == "success"

    def execute(self, context: Context) -> Any:
        """Wait, or defer."""
        if not self.deferrable:
            return super().execute(context)
        self._check()
        self.defer(
            trigger=WorkflowTrigger(
                external_dag_id=self.external_dag_id,
                logical_dates=self.dates(context),
                external_task_ids=self.tasks,
                external_task_group_id=self.external_task_group_id,
                allowed_states=self.allowed_states,
                skipped_states=self.skipped_states,
                failed_states=self.failed_states,
                poke_interval=self.poll_interval,
                soft_fail=self.soft_fail,
            ),
            method_name="execute_complete",
            timeout=self.timeout,
        )

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> None:
        """Take what the trigger has found."""
        match event["status"]:
            case "success":
                self.log.info("what was waited for is there: %s", self._what())
            case "skipped":
                raise AirflowSkipException(f"{self._what()} is in one of the states {', '.join(self.skipped_states)}")
            case _:
                raise self._failed()

    def dates(self, context: Context) -> list[datetime]:
        """Return the logical dates of what is waited for."""
        own: datetime = context["logical_date"] or context["dag_run"].run_after
        if self.execution_delta:
            return [own - self.execution_delta]
        if self.execution_date_fn is None:
            return [own]
        offered = {key: context[key] for key in context if key not in ("logical_date", "execution_date")}
        offered["context"] = context
        returned = self.execution_date_fn(own, **arguments_for(self.execution_date_fn, (own,), offered))
        return list(returned) if isinstance(returned, (list, tuple, set)) else [returned]

    @property
    def tasks(self) -> list[str] | None:
        """The ids of the tasks that are waited for; None where it is a run or a group."""
        many = [self.external_task_id] if self.external_task_id is not None else self.external_task_ids
        if many is None:
            return None
        tasks = [many] if isinstance(many, str) else list(many)
        if len(tasks) > len(set(tasks)):
            raise InvalidDag(f"sensor {self.task_id!r}: external_task_ids has a task twice: {', '.join(tasks)}")
        return tasks

    def _found(self, dates: list[datetime]) -> Found:
        if self.tasks is None and self.external_task_group_id is None:
            return Found.of_runs(run_states(self.external_dag_id, logical_dates=dates))
        instances = task_instances(
            self.external_dag_id,
            task_ids=self.tasks,
            task_group_id=self.external_task_group_id,
            logical_dates=dates,
        )
        return Found.of_tasks(instances, self.tasks)

    def _failed(self) -> Exception:
        kind: type[Exception] = ExternalDagFailedError
        if self.external_task_group_id is not None:
            kind = ExternalTaskGroupFailedError
        elif self.tasks is not None:
            kind = ExternalTaskFailedError
        return self._skipped_or(kind(f"{self._what()} is in one of the states {', '.join(self.failed_states)}"))

    def _check(self) -> None:
        """Raise for what is not there: a group that the DAG has not at once, as in Airflow, all else where asked to."""
        if not self.check_existence and self.external_task_group_id is None:
            return
        dag = find_dag(self.external_dag_id)
        if dag is None:
            raise ExternalDagNotFoundError(f"there is no DAG {self.external_dag_id!r} to wait for")
        if self.check_existence and not dag.is_active:
            raise ExternalDagDeletedError(
                f"the file of DAG {self.external_dag_id!r} is gone: there is no run to wait for"
            )
        if unknown := sorted(set(self.tasks or ()) - set(dag.tasks)):
            raise ExternalTaskNotFoundError(f"DAG {self.external_dag_id!r} has no task {', '.join(unknown)}")
        if self.external_task_group_id is not None and self.external_task_group_id not in dag.groups:
            raise ExternalTaskGroupNotFoundError(
                f"DAG {self.external_dag_id!r} has no task group {self.external_task_group_id!r}"
            )

    def _what(self) -> str:
        if self.external_task_group_id is not None:
            return f"group {self.external_task_group_id} of DAG {self.external_dag_id}"
        tasks = self.tasks
        return f"{', '.join(tasks)} of DAG {self.external_dag_id}" if tasks else f"DAG {self.external_dag_id}"


class ExternalTaskMarker(EmptyOperator):
    """A task that does nothing but say that `external_task_id` of `external_dag_id` waits for it.

    Clearing it clears nothing else.
    """

    template_fields: Sequence[str] = ("external_dag_id", "external_task_id", "logical_date")
    ui_color = "#4db7db"

    def __init__(
        self,
        *,
        external_dag_id: str,
        external_task_id: str,
        logical_date: str | datetime | None = "{{ logical_date.isoformat() }}",
        execution_date: str | datetime | None = None,
        recursion_depth: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.external_dag_id, self.external_task_id = external_dag_id, external_task_id
        date = execution_date or logical_date
        self.logical_date = date.isoformat() if isinstance(date, datetime) else date
        if recursion_depth < 1:
            raise InvalidDag(f"task {self.task_id!r}: recursion_depth is {recursion_depth}, wanted 1 or more")
        self.recursion_depth = recursion_depth


def _states(given: Iterable[str], kind: type[RunState | TaskState], where: str) -> list[str]:
    try:
        return [kind(state).value for state in given]
    except ValueError as error:
        raise InvalidDag(f"{where}: {error}; wanted {', '.join(kind)}") from error
