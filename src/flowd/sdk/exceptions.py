"""Exceptions that DAG files raise and catch, with Airflow's names."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flowd.domain.errors import FlowdError


class AirflowException(FlowdError):
    """Base of all that Airflow's own code raises; in a task it fails the try, which may be retried."""


class AirflowSkipException(AirflowException):
    """Raised in a task: it ends as skipped."""


class AirflowFailException(AirflowException):
    """Raised in a task: it fails now, whatever retries are left."""


class MissingProvider(AirflowFailException):
    """A task needs a package that is not installed; no retry would help."""


class AirflowTaskTimeout(AirflowException):
    """The task ran longer than its `execution_timeout`."""


class AirflowSensorTimeout(AirflowException):
    """A sensor waited longer than its `timeout`; it fails without a retry."""


class AirflowRescheduleException(AirflowException):
    """Raised in a task: give up the slot and start this try again at `reschedule_date`."""

    def __init__(self, reschedule_date: datetime) -> None:
        super().__init__(f"to be started again at {reschedule_date.isoformat()}")
        self.reschedule_date = reschedule_date


class TaskDeferred(BaseException):
    """Raised in a task: give up slot and process, and go on at `method_name` when `trigger` has fired.

    No Exception: code of the task that catches those must not catch it. `timeout` (None: however long it takes) is how
    long the trigger has; after that the try fails with TaskDeferralTimeout.
    """

    def __init__(
        self,
        *,
        trigger: Any,
        method_name: str,
        kwargs: Mapping[str, Any] | None = None,
        timeout: timedelta | float | None = None,
    ) -> None:
        super().__init__(f"deferred to {method_name} until {type(trigger).__name__} fires")
        self.trigger, self.method_name, self.kwargs = trigger, method_name, dict(kwargs or {})
        self.timeout = timedelta(seconds=timeout) if isinstance(timeout, (int, float)) else timeout


class TaskDeferralError(AirflowException):
    """The trigger of a deferred task failed; the text is its traceback."""


class TaskDeferralTimeout(AirflowException):
    """The trigger of a deferred task did not fire in time."""


class AirflowConfigException(AirflowException):
    """An option of Airflow's configuration was asked for that flowd does not have."""


class AirflowNotFoundException(AirflowException):
    """A named thing, such as a connection, does not exist."""


class VariableNotFound(AirflowNotFoundException, KeyError):
    """The variable does not exist and no default was given."""

    def __str__(self) -> str:
        return str(self.args[0])


class XComNotFound(AirflowException):
    """The task that should have pushed this key did not."""


class XComForMappingNotPushed(AirflowException):
    """A task returned nothing, and another is mapped over what it returns."""


class UnmappableXComTypePushed(AirflowException):
    """A task returned no list and no dict, and another is mapped over what it returns."""


class UnmappableXComLengthPushed(AirflowException):
    """A task returned more items than a task may be mapped over."""


class DuplicateTaskIdFound(AirflowException):
    """Two tasks or groups of a DAG have the same id."""


class TaskNotFound(AirflowNotFoundException):
    """The DAG has no task of this id."""


class DagNotFound(AirflowNotFoundException):
    """No DAG of this id is known."""


class DagRunNotFound(AirflowNotFoundException):
    """The DAG has no run of this id."""


class DagRunAlreadyExists(AirflowFailException):
    """The DAG has a run of this id or logical date already; no retry would change that."""


class DagIsPaused(AirflowException):
    """A paused DAG was to be triggered, and is not where `fail_when_dag_is_paused` is set."""

    def __init__(self, dag_id: str) -> None:
        super().__init__(f"the DAG {dag_id!r} is paused: unpause it, or do without fail_when_dag_is_paused")
        self.dag_id = dag_id


class ExternalTaskSensorError(AirflowException):
    """Base of what an ExternalTaskSensor raises."""


class ExternalDagNotFoundError(ExternalTaskSensorError):
    """The DAG that was waited for does not exist."""


class ExternalDagDeletedError(ExternalTaskSensorError):
    """The file of the DAG that was waited for is gone."""


class ExternalTaskNotFoundError(ExternalTaskSensorError):
    """The task that was waited for is not in its DAG."""


class ExternalTaskGroupNotFoundError(ExternalTaskSensorError):
    """The task group that was waited for is not in its DAG."""


class ExternalTaskFailedError(ExternalTaskSensorError):
    """A task that was waited for is in one of the failed states."""


class ExternalTaskGroupFailedError(ExternalTaskSensorError):
    """A task of the group that was waited for is in one of the failed states."""


class ExternalDagFailedError(ExternalTaskSensorError):
    """The run that was waited for is in one of the failed states."""


class DuplicateStateError(ExternalTaskSensorError):
    """A state is among more than one of the allowed, skipped and failed states."""


class HITLTriggerEventError(AirflowException):
    """A question to a person has not led to an answer."""


class HITLTimeoutError(HITLTriggerEventError):
    """A question to a person was not answered in time, and has no defaults."""


class HITLRejectException(AirflowException):
    """What was to be approved was rejected, and the task is to fail then."""


class ParamValidationError(AirflowException):
    """A parameter has no value, or one its schema forbids."""


class DagWarning(UserWarning):
    """Something in a DAG file that works otherwise than its author may think; shown with the DAG."""


class StubWarning(DagWarning):
    """A task of the DAG will fail, for it needs a package that is not installed."""
