"""What the end of a process tree means for the try it was running."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flowd.child.launch import Ended, EndedBy
from flowd.db.ledger.write import Measured
from flowd.db.storable import storable
from flowd.domain.assets import AssetNews, news_from_json
from flowd.domain.assignment import Assignment
from flowd.domain.deferral import Deferral, deferral_from_json
from flowd.domain.errors import InvalidDag
from flowd.domain.ids import ClaimToken, TaskId
from flowd.domain.task_events import (
    Cancelled,
    Deferred,
    Failed,
    Interrupted,
    ReportEvent,
    Rescheduled,
    Skipped,
    Succeeded,
)
from flowd.domain.task_machine import LONGEST_WAIT
from flowd.domain.work import BashWork
from flowd.roles.retry_delay import retry_after

RETURN_VALUE = "return_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The event to report, what was measured, and what to store with a success or a deferral.

    `rendered_map_index` is the name of the instance's map index, None where its author gave it none.
    """

    event: ReportEvent
    measured: Measured
    returned: Mapping[str, Any] = field(default_factory=dict)
    asset_news: tuple[AssetNews, ...] = ()
    deferral: Deferral | None = None
    rendered_map_index: str | None = None


def judge(assignment: Assignment, token: ClaimToken, ended: Ended, *, is_interrupted: bool, now: datetime) -> Verdict:
    """Return the verdict on a tree that ended otherwise than by its fence, of which nothing may be reported.

    `is_interrupted` says that it was this worker which broke the try off, or could not begin it: no retry is used.
    """
    if ended.by is EndedBy.CANCEL:
        event = Interrupted(token) if is_interrupted else Cancelled(token)
        return _verdict(event, ended, ended.error or "killed on request")
    if ended.by is EndedBy.NOT_STARTED and is_interrupted:
        return _verdict(Interrupted(token), ended, ended.error or "the worker stopped before it was started")
    wait = retry_after(assignment.retry, assignment.instance, assignment.try_number, assignment.max_tries)
    failed = Failed(token, min(wait, LONGEST_WAIT))
    if ended.by is EndedBy.NOT_STARTED:
        return _verdict(failed, ended, ended.error or "the process could not be started")
    if ended.result is not None:
        try:
            verdict = _of_result(assignment, token, ended, failed, now)
            name = ended.result.get("rendered_map_index")
            return verdict if name is None else replace(verdict, rendered_map_index=storable(name))
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError, InvalidDag) as error:
            # The process of the task wrote it, and whatever runs there may write what it likes.
            return _verdict(failed, ended, f"it reported a result that cannot be read: {type(error).__name__}: {error}")
    if ended.by is EndedBy.TIMEOUT:
        return _verdict(failed, ended, f"it ran longer than its execution_timeout of {assignment.execution_timeout}")
    if isinstance(assignment.work, BashWork):
        return _of_script(assignment.work, token, ended, failed)
    return _verdict(failed, ended, f"its process ended without a result: {_how(ended)}")


def _of_script(work: BashWork, token: ClaimToken, ended: Ended, failed: Failed) -> Verdict:
    if ended.exit_code == 0:
        returned = {RETURN_VALUE: ended.last_line} if work.push_last_line and ended.last_line is not None else {}
        return Verdict(event=Succeeded(token), measured=_measured(ended, None), returned=returned)
    if ended.exit_code in work.skip_exit_codes:
        return _verdict(Skipped(token), ended, f"the script asked to be skipped: exit code {ended.exit_code}")
    return _verdict(failed, ended, f"the script ended badly: {_how(ended)}")


def _of_result(assignment: Assignment, token: ClaimToken, ended: Ended, failed: Failed, now: datetime) -> Verdict:
    result = ended.result or {}
    error = (result.get("error") or {}).get("message")
    match result.get("outcome"):
        case "success":
            returned = {RETURN_VALUE: result["value"]} if "value" in result else {}
            skips = tuple(TaskId(task_id) for task_id in result.get("skip", ()))
            news = tuple(news_from_json(one) for one in result.get("asset_events", ()))
            event = Succeeded(token, skips)
            return Verdict(event=event, measured=_measured(ended, None), returned=returned, asset_news=news)
        case "skipped":
            return _verdict(Skipped(token), ended, error)
        case "reschedule":
            return _verdict(Rescheduled(token, _wait_until(result["until"], now)), ended, None)
        case "deferred":
            wait = None if result.get("until") is None else _wait_until(result["until"], now)
            deferral = deferral_from_json(result["deferral"])
            return Verdict(event=Deferred(token, wait), measured=_measured(ended, None), deferral=deferral)
        case "fail_without_retry":
            return _verdict(Failed(token, failed.retry_after, is_retry_allowed=False), ended, error)
        case "failed" if "retry_delay" in result:
            wait = timedelta(seconds=max(0.0, float(result["retry_delay"])))
            return _verdict(Failed(token, min(wait, LONGEST_WAIT)), ended, error)
        case "failed":
            return _verdict(failed, ended, error)
        case other:
            return _verdict(failed, ended, f"{assignment.operator} reported the unknown outcome {other!r}")


def _wait_until(moment: str, now: datetime) -> timedelta:
    until = datetime.fromisoformat(moment).astimezone(UTC)
    return min(max(until - now, timedelta(0)), LONGEST_WAIT)


def _verdict(event: ReportEvent, ended: Ended, error: str | None) -> Verdict:
    return Verdict(event=event, measured=_measured(ended, error))


def _measured(ended: Ended, error: str | None) -> Measured:
    return Measured(
        exit_code=ended.exit_code,
        signal=ended.signal,
        cpu_seconds=ended.cpu_seconds,
        peak_rss_bytes=ended.peak_rss_bytes,
        is_log_truncated=ended.log_truncated,
        # A task's own text: it goes to the log and to the ledger, which cannot hold everything that Python can.
        error=None if error is None else storable(error),
    )


def _how(ended: Ended) -> str:
    return f"killed by signal {ended.signal}" if ended.signal is not None else f"exit code {ended.exit_code}"
