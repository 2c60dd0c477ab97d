"""The state machine of a task instance: the only place that says what may follow what.

    none ─► scheduled ─► queued ─► running ─► success | failed | skipped
      │         ▲                     ├► up_for_retry (not before T) ─► scheduled, and then the next try
      │         ├──────────────────── ├► lost or interrupted: up_for_retry, with no retry used
      │         └──────────────────── ├► up_for_reschedule (not before T), deferred (until triggered, or T): the same
      │                               │  try goes on in its next leg, under a token of its own
      └► success (no work) | skipped | upstream_failed | removed

A user's Cleared and Marked may lead out of any state; they drop the token, so that an old process is fenced. Where it
may still live, a cleared instance is restarting, and is none again only when Released says that it is dead. Imported
leads from none straight to an end: it is history of another system, of which nothing ran here.
"""

from datetime import datetime, timedelta
from typing import Any, assert_never

from flowd.domain.errors import IllegalTransition, StaleClaim
from flowd.domain.states import FINISHED, WAITING, TaskState
from flowd.domain.task_events import (
    Cancelled,
    CancelRequested,
    Claimed,
    Cleared,
    CompletedWithoutWork,
    Decided,
    Deferred,
    Failed,
    Imported,
    Interrupted,
    Lost,
    Marked,
    Queued,
    Released,
    ReportEvent,
    Rescheduled,
    RunStopped,
    Scheduled,
    Skipped,
    Succeeded,
    TaskEvent,
    Triggered,
)
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_spec import OnLost

MAX_LOST = 2
"""A task that has outlived this many workers fails: it may be what kills them."""

LONGEST_WAIT = timedelta(days=36_525)
"""No try waits longer for the next: what a task asks for beyond a century may have no date."""

DECIDED = frozenset({TaskState.SKIPPED, TaskState.UPSTREAM_FAILED, TaskState.REMOVED})
MARKABLE = frozenset({TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED})

_Changes = dict[str, Any]
"""New values by field, gathered before one replacement."""

_RELEASED: _Changes = {"token": None, "lease_until": None, "is_cancel_requested": False}


def transition(ti: TaskInstance, event: TaskEvent, now: datetime) -> TaskInstance:
    """Return `ti` after `event`, with its version raised by one.

    Raises IllegalTransition where the state graph has no such edge, and StaleClaim where the event shows a try number
    or token that is not the current one. Both mean: change nothing.
    """
    match event:
        case Scheduled() | Triggered() | Decided() | CompletedWithoutWork() | Queued():
            changes = _advance(ti, event, now)
        case Claimed():
            changes = _claim(ti, event, now)
        case Succeeded() | Skipped() | Failed() | Rescheduled() | Deferred() | Interrupted() | Lost() | Cancelled():
            changes = _report(ti, event, now)
        case Released():
            changes = _release_hold(ti, event)
        case CancelRequested() | Cleared() | Marked() | RunStopped():
            changes = _intervene(ti, event, now)
        case Imported():
            changes = _import(ti, event, now)
        case _:
            assert_never(event)
    return ti._replace(**changes, version=ti.version + 1)


def _advance(
    ti: TaskInstance, event: Scheduled | Triggered | Decided | CompletedWithoutWork | Queued, now: datetime
) -> _Changes:
    match event:
        case Scheduled():
            _require(ti, event, WAITING | {TaskState.NONE})
            return {"state": TaskState.SCHEDULED, "scheduled_at": now, "not_before": None}
        case Triggered():
            _require(ti, event, {TaskState.DEFERRED})
            if (event.try_number, event.leg) != (ti.try_number, ti.leg):
                found = f"trigger of try {event.try_number} leg {event.leg}"
                raise StaleClaim(f"{ti.label}: {found}, but try {ti.try_number} leg {ti.leg} is deferred")
            return {"state": TaskState.SCHEDULED, "scheduled_at": now, "not_before": None}
        case Decided(outcome):
            _require(ti, event, {TaskState.NONE})
            _require_outcome(ti, outcome, DECIDED)
            return _end(outcome, now)
        case CompletedWithoutWork():
            _require(ti, event, {TaskState.NONE})
            return _end(TaskState.SUCCESS, now) | {"started_at": now}
        case Queued():
            _require(ti, event, {TaskState.SCHEDULED})
            queued: _Changes = {"state": TaskState.QUEUED, "queued_at": now, "ended_at": None, "worker": None}
            if ti.leg:
                return queued
            return queued | {"try_number": ti.try_number + 1, "started_at": None}


def _claim(ti: TaskInstance, event: Claimed, now: datetime) -> _Changes:
    _require(ti, event, {TaskState.QUEUED})
    if event.try_number != ti.try_number:
        raise StaleClaim(f"{ti.label}: claim of try {event.try_number}, but try {ti.try_number} is queued")
    if event.leg != ti.leg:
        raise StaleClaim(f"{ti.label}: claim of try {ti.try_number} leg {event.leg}, but leg {ti.leg} is queued")
    return {
        "state": TaskState.RUNNING,
        "token": event.token,
        "worker": event.worker,
        "lease_until": now + event.lease,
        "started_at": ti.started_at or now,
    }


def _report(ti: TaskInstance, event: ReportEvent, now: datetime) -> _Changes:
    _require(ti, event, {TaskState.RUNNING})
    if event.token != ti.token:
        raise StaleClaim(f"{ti.label}: {event.cause} under token {event.token}, but {ti.token} holds it")
    match event:
        case Succeeded(skips=skips):
            return _end(TaskState.SUCCESS, now) | {"skips": skips}
        case Skipped():
            return _end(TaskState.SKIPPED, now)
        case Cancelled():
            return _end(TaskState.FAILED, now)
        case Failed() | Rescheduled() | Deferred() | Interrupted() | Lost():
            return _go_on(ti, event, now)
        case _:
            assert_never(event)


def _go_on(ti: TaskInstance, event: Failed | Rescheduled | Deferred | Interrupted | Lost, now: datetime) -> _Changes:
    """Wait for another leg, or for another try where one is left; what was asked to stop is followed by neither."""
    counted: _Changes = {"leg": 0} if ti.leg else {}
    match event:
        case Failed(retry_after=wait, is_retry_allowed=is_retry_allowed):
            is_try_left = is_retry_allowed and ti.try_number <= ti.max_tries
            waiting = _wait(TaskState.UP_FOR_RETRY, wait, now)
        case Rescheduled(wait=wait):
            is_try_left = True
            waiting = _wait(TaskState.UP_FOR_RESCHEDULE, wait, now) | _next_leg(ti, now)
        case Deferred(wait=wait):
            is_try_left = True
            waiting = _wait(TaskState.DEFERRED, wait, now) | _next_leg(ti, now)
        case Interrupted():
            is_try_left = True
            waiting = _wait(TaskState.UP_FOR_RETRY, timedelta(0), now) | _give_back_try(ti)
        case Lost(on_lost=on_lost):
            is_try_left = on_lost is OnLost.RETRY and ti.lost < MAX_LOST
            counted |= {"lost": ti.lost + 1}
            waiting = _wait(TaskState.UP_FOR_RETRY, timedelta(0), now) | _give_back_try(ti)
    if ti.is_cancel_requested or not is_try_left:
        return counted | _end(TaskState.FAILED, now)
    return counted | waiting


def _intervene(ti: TaskInstance, event: CancelRequested | Cleared | Marked | RunStopped, now: datetime) -> _Changes:
    match event:
        case CancelRequested():
            _require(ti, event, set(TaskState) - FINISHED)
            if ti.state is TaskState.RUNNING:
                return {"is_cancel_requested": True}
            return _end(TaskState.FAILED, now)
        case Cleared(retries):
            held_until = _held_until(ti, now)
            return _RELEASED | {
                "state": TaskState.NONE if held_until is None else TaskState.RESTARTING,
                "held_until": held_until,
                "worker": None,
                "max_tries": ti.try_number + retries,
                "leg": 0,
                "lost": 0,
                "not_before": None,
                "waits_since": None,
                "skips": (),
                "needs_propagation": False,
                "scheduled_at": None,
                "queued_at": None,
                "started_at": None,
                "ended_at": None,
            }
        case Marked(outcome):
            _require_outcome(ti, outcome, MARKABLE)
            return _end(outcome, now) | {"held_until": _held_until(ti, now), "skips": ()}
        case RunStopped(outcome):
            _require(ti, event, set(TaskState) - FINISHED)
            _require_outcome(ti, outcome, MARKABLE)
            return _end(outcome, now) | {"held_until": _held_until(ti, now)}


def _import(ti: TaskInstance, event: Imported, now: datetime) -> _Changes:
    _require(ti, event, {TaskState.NONE})
    _require_outcome(ti, event.outcome, FINISHED)
    # Its downstreams have ended where it did: there is nobody to tell.
    return _end(event.outcome, now) | {
        "needs_propagation": False,
        "try_number": event.try_number,
        "max_tries": event.max_tries,
        "worker": event.worker,
        "scheduled_at": event.scheduled_at,
        "queued_at": event.queued_at,
        "started_at": event.started_at,
    }


def _release_hold(ti: TaskInstance, event: Released) -> _Changes:
    _require(ti, event, FINISHED | {TaskState.RESTARTING})
    if event.try_number != ti.try_number or ti.held_until is None:
        raise StaleClaim(f"{ti.label}: nothing is held for try {event.try_number}")
    is_restarting = ti.state is TaskState.RESTARTING
    return {"state": TaskState.NONE if is_restarting else ti.state, "held_until": None}


def _held_until(ti: TaskInstance, now: datetime) -> datetime | None:
    """Return until when the process of a dropped token may live: to the end of its lease."""
    until = ti.lease_until if ti.state is TaskState.RUNNING else ti.held_until
    return until if until is not None and until > now else None


def _end(outcome: TaskState, now: datetime) -> _Changes:
    return _RELEASED | {"state": outcome, "not_before": None, "needs_propagation": True, "ended_at": now}


def _wait(state: TaskState, wait: timedelta | None, now: datetime) -> _Changes:
    not_before = None if wait is None else now + min(wait, LONGEST_WAIT)
    return _RELEASED | {"state": state, "not_before": not_before, "ended_at": now}


def _next_leg(ti: TaskInstance, now: datetime) -> _Changes:
    return {"leg": ti.leg + 1, "waits_since": ti.waits_since or ti.started_at or now}


def _give_back_try(ti: TaskInstance) -> _Changes:
    return {"max_tries": ti.max_tries + 1}


def _require(ti: TaskInstance, event: TaskEvent, allowed: frozenset[TaskState] | set[TaskState]) -> None:
    if ti.state not in allowed:
        wanted = ", ".join(sorted(allowed))
        raise IllegalTransition(f"{ti.label}: {event.cause} is for state {wanted}; it is {ti.state}")


def _require_outcome(ti: TaskInstance, outcome: TaskState, allowed: frozenset[TaskState]) -> None:
    if outcome not in allowed:
        raise IllegalTransition(f"{ti.label}: cannot end as {outcome}; wanted {', '.join(sorted(allowed))}")
