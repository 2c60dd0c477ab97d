"""Deferring a try and going on with it, in the process of the task."""

import os
from datetime import UTC, datetime
from typing import Any

from flowd.child.outcome import Ending, Outcome, outcome_of_error
from flowd.domain.assignment import Assignment
from flowd.domain.deferral import Deferral, Resume, TriggerSpec, deferral_to_json
from flowd.domain.work import PythonWork
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context
from flowd.sdk.deferrable import FAIL, TIMEOUT
from flowd.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from flowd.sdk.stored_trigger import stored_trigger
from flowd.sdk.triggers import BaseTrigger, event_to_json
from flowd.sdk.xcom_json import from_json, to_json


def outcome_of_deferral(deferred: TaskDeferred, task: BaseOperator, assignment: Assignment) -> Outcome:
    """Return how the try ends that `deferred` was raised in: deferred, or failed where that cannot be stored."""
    try:
        return _outcome(deferred, task, assignment)
    except Exception as error:
        error.add_note(f"task {task.task_id!r} deferred itself to {deferred.trigger!r:.500}")
        return outcome_of_error(error)


def go_on(task: BaseOperator, context: Context, resume: Resume) -> Any:
    """Let the task go on after its deferral, and return what its method returns."""
    if resume.ends_as is not None:
        return _end(context, resume)
    kwargs = {name: from_json(value) for name, value in resume.kwargs.items()}
    if resume.is_timeout:
        return task.resume_execution(FAIL, {"error": TIMEOUT}, context)
    if resume.failure is not None:
        return task.resume_execution(FAIL, {"error": resume.failure}, context)
    return task.resume_execution(resume.method, {**kwargs, "event": from_json(resume.event)}, context)


def _outcome(deferred: TaskDeferred, task: BaseOperator, assignment: Assignment) -> Outcome:
    trigger = deferred.trigger
    if not callable(getattr(task, deferred.method_name, None)):
        raise TypeError(f"{type(task).__name__} has no method {deferred.method_name!r} to go on at")
    kwargs = {name: to_json(value) for name, value in deferred.kwargs.items()}
    until = None if deferred.timeout is None else datetime.now(UTC) + deferred.timeout
    if isinstance(trigger, BaseTrigger) and not trigger.needs_to_run:
        moment = trigger.fires_at
        is_in_time = moment is not None and (until is None or moment <= until)
        news = event_to_json(trigger.event) if is_in_time else {"is_timeout": True}
        deferral = Deferral(otherwise=Resume(method=deferred.method_name, kwargs=kwargs, **news))
        until = moment if is_in_time else until
    else:
        deferral = Deferral(
            otherwise=Resume(method=deferred.method_name, kwargs=kwargs, is_timeout=True),
            trigger=_stored(trigger, task, assignment),
        )
    return Outcome(ending=Ending.DEFERRED, until=until, deferral=deferral_to_json(deferral))


def _stored(trigger: Any, task: BaseOperator, assignment: Assignment) -> TriggerSpec:
    path = task.dag.fileloc
    file = assignment.work.file if isinstance(assignment.work, PythonWork) else os.path.basename(path)
    return stored_trigger(trigger, path=path, file=file)


def _end(context: Context, resume: Resume) -> None:
    for name, value in resume.xcoms.items():
        context["ti"].xcom_push(key=name, value=from_json(value))
    match resume.ends_as:
        case "skipped":
            raise AirflowSkipException("its trigger skipped it")
        case "failed":
            raise AirflowFailException("its trigger failed it")
