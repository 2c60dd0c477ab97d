"""Entry point of a process that runs one try of a Python task and reports how it ended."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from flowd.child.channel import Channel
from flowd.child.deferral import go_on, outcome_of_deferral
from flowd.child.failure_mail import mail_failure
from flowd.child.frames import FrameTooLong
from flowd.child.map_index import map_index_if_rendered, rendered_map_index
from flowd.child.mapped import check_mappable, operator_of
from flowd.child.other_user import become
from flowd.child.outcome import Ending, Outcome, describe, outcome_of_error
from flowd.child.rendered import report_rendered
from flowd.child.retry_decision import after_failure
from flowd.child.supervision import kept
from flowd.child.task_log import log_to_stdout
from flowd.child.termination import Terminated, terminable
from flowd.domain.assignment import Assignment, assignment_from_json
from flowd.domain.states import TaskState
from flowd.domain.work import PythonWork
from flowd.sdk import listeners
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.callbacks import call_all
from flowd.sdk.context import Context, context_of, executing_in
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import AirflowException, AirflowTaskTimeout, TaskDeferred, TaskNotFound
from flowd.sdk.xcom_arg import RETURN_KEY

LIMIT_SLACK_SECONDS = 2.0
"""A SIGTERM that comes no earlier than this before the execution timeout is taken for the timeout."""

_CALLBACK = {Ending.SUCCESS: "on_success_callback", Ending.SKIPPED: "on_skipped_callback"}
_LISTENED = {Ending.SUCCESS: "on_task_instance_success", Ending.SKIPPED: "on_task_instance_skipped"}


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Run the try described by `payload["assignment"]` from the bundle at `payload["bundle_root"]`.

    The result is sent before the callbacks run: whatever they do, the outcome stands. A SIGTERM calls the operator's
    `on_kill`; no result is sent then, unless it was for the execution timeout.
    """
    started = time.monotonic()
    log_to_stdout()
    assignment = assignment_from_json(payload["assignment"])
    with kept(channel):
        try:
            task = _find_task(assignment, payload["bundle_root"])
        except BaseException as error:
            channel.send_result(_reported(outcome_of_error(error)).to_document())
            return
        attempt(channel, assignment, task, started, become=become)


class ResultSink(Protocol):
    """Whoever is told how a try has ended."""

    def send_result(self, document: dict[str, Any]) -> None:
        """Take the result document of the child protocol."""
        ...


def attempt(
    channel: ResultSink,
    assignment: Assignment,
    task: BaseOperator,
    started: float,
    *,
    become: Callable[[str], None] | None = None,
) -> None:
    """Run the try of `task`, which began at the monotonic moment `started`, and send its result.

    `become` makes this process another user's, for a task with `run_as_user`; None where it is not to be that task's.
    """
    context = context_of(assignment, task)
    with executing_in(context):
        try:
            task = operator_of(task, context)
        except BaseException as error:
            outcome = _reported(outcome_of_error(error))
        else:
            listeners.tell(
                "on_task_instance_running", previous_state=TaskState.QUEUED, task_instance=context["ti"], session=None
            )
            outcome = _reported(_run(task, context, assignment, started, become))
        outcome = _sent(channel, outcome)
        _call_back(task, context, outcome, assignment)


def _sent(channel: ResultSink, outcome: Outcome) -> Outcome:
    """Send the result and return it; a failure in its place where its value is too long to be sent."""
    try:
        channel.send_result(outcome.to_document())
        return outcome
    except FrameTooLong as error:
        failure = _reported(Outcome(ending=Ending.FAILED, error=AirflowException(f"what it returned is lost: {error}")))
    channel.send_result(failure.to_document())
    return failure


def _find_task(assignment: Assignment, root: str) -> BaseOperator:
    if not isinstance(assignment.work, PythonWork):
        raise TypeError(f"{assignment.label}: the work is {assignment.work!r}, wanted PythonWork")
    file = assignment.work.file
    for dag in load(root, file):
        if dag.dag_id == assignment.dag_id:
            return dag.get_task(assignment.task_id)
    raise TaskNotFound(
        f"{assignment.label}: {file} defines no DAG {assignment.dag_id!r} in this process; a DAG file must define the "
        "same DAGs wherever it is imported"
    )


def _run(
    task: BaseOperator, context: Context, assignment: Assignment, started: float, become: Callable[[str], None] | None
) -> Outcome:
    with terminable():
        try:
            return _success(task, context, _execute(task, context, assignment, become))
        except TaskDeferred as deferred:
            return outcome_of_deferral(deferred, task, assignment)
        except Terminated:
            return _terminated(task, assignment, time.monotonic() - started)
        except BaseException as error:
            outcome = replace(outcome_of_error(error), rendered_map_index=map_index_if_rendered(task, context))
            return after_failure(task, context, outcome)


def _execute(task: BaseOperator, context: Context, assignment: Assignment, become: Callable[[str], None] | None) -> Any:
    call_all(task, "on_execute_callback", context)
    task.render_template_fields(context)
    report_rendered(task, context)
    if task.run_as_user is not None:
        # Template files were read as who may read the bundle; what the task does is done as its user.
        _change_user(task, task.run_as_user, become)
    context["templates_dict"] = getattr(task, "templates_dict", None)
    task.pre_execute(context)
    value = task.execute(context) if assignment.resume is None else go_on(task, context, assignment.resume)
    task.post_execute(context, value)
    return value


def _change_user(task: BaseOperator, user: str, become: Callable[[str], None] | None) -> None:
    if become is None:
        task.log.warning("run_as_user=%r has no effect here: the task runs in a process that is not its own", user)
    else:
        become(user)


def _success(task: BaseOperator, context: Context, value: Any) -> Outcome:
    ti = context["ti"]
    name = rendered_map_index(task, context)
    check_mappable(task, value)
    pushed = ti.to_xcom(value) if task.do_xcom_push else None
    if task.multiple_outputs and task.do_xcom_push and isinstance(value, Mapping):
        for key, item in value.items():
            if key != RETURN_KEY:
                ti.xcom_push(key=key, value=item)
    news = context["outlet_events"].news()
    return Outcome(
        ending=Ending.SUCCESS, value=pushed, skip=tuple(ti.skipped), asset_events=news, rendered_map_index=name
    )


def _terminated(task: BaseOperator, assignment: Assignment, elapsed_seconds: float) -> Outcome:
    try:
        task.on_kill()
    except Exception:
        task.log.exception("on_kill failed")
    limit = assignment.execution_timeout
    if limit is None or elapsed_seconds < limit.total_seconds() - LIMIT_SLACK_SECONDS:
        # Whoever sent the signal knows why, and what becomes of the task.
        raise SystemExit(143)
    timeout = AirflowTaskTimeout(f"{assignment.label} ran longer than its execution_timeout of {limit}")
    return Outcome(ending=Ending.FAILED, error=timeout)


def _reported(outcome: Outcome) -> Outcome:
    sys.stdout.flush()
    if outcome.error is not None and outcome.ending is Ending.SKIPPED:
        sys.stderr.write(f"skipped: {outcome.error}\n")
    elif outcome.error is not None:
        sys.stderr.write(describe(outcome.error)["traceback"])
    sys.stderr.flush()
    return outcome


def _call_back(task: BaseOperator, context: Context, outcome: Outcome, assignment: Assignment) -> None:
    if outcome.ending in (Ending.RESCHEDULE, Ending.DEFERRED):
        return
    name = _CALLBACK.get(outcome.ending, "on_failure_callback")
    if outcome.ending is Ending.FAILED and assignment.try_number <= assignment.max_tries:
        name = "on_retry_callback"
    context["ti"].state = _state(outcome, name)
    context["exception"] = outcome.error
    listeners.tell(
        _LISTENED.get(outcome.ending, "on_task_instance_failed"),
        previous_state=TaskState.RUNNING,
        task_instance=context["ti"],
        error=outcome.error,
        session=None,
    )
    call_all(task, name, context)
    if outcome.is_failure and task.sends_mail:
        mail_failure(task, context, is_retried=name == "on_retry_callback")


def _state(outcome: Outcome, callback: str) -> str:
    if outcome.is_failure:
        return "up_for_retry" if callback == "on_retry_callback" else "failed"
    return outcome.ending.value
