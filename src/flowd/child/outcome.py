"""Outcome: how a try of a Python task ended, as the task's own process sees it."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from flowd.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from flowd.sdk.secret_values import masked

_FLOWD = str(Path(__file__).parent.parent)


class Ending(StrEnum):
    """The ways a try ends."""

    SUCCESS = "success"
    SKIPPED = "skipped"
    FAILED = "failed"
    FAIL_WITHOUT_RETRY = "fail_without_retry"
    RESCHEDULE = "reschedule"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The ending; of a success the XCom `value` (JSON; None is none), `skip` and asset events; else error or time.

    `rendered_map_index` is the name of the task's map index, None where the author gave it none.
    `retry_delay` takes the place of the task's own before the next try.
    A `deferral` is the document of the domain's Deferral; it waits at the longest `until` then.
    """

    ending: Ending
    value: Any = None
    skip: tuple[str, ...] = ()
    asset_events: Sequence[Mapping[str, Any]] = ()
    until: datetime | None = None
    deferral: Mapping[str, Any] | None = None
    error: BaseException | None = None
    retry_delay: timedelta | None = None
    rendered_map_index: str | None = None

    @property
    def is_failure(self) -> bool:
        """True where the try failed."""
        return self.ending in (Ending.FAILED, Ending.FAIL_WITHOUT_RETRY)

    def to_document(self) -> dict[str, Any]:
        """Return the result document of the child protocol."""
        document: dict[str, Any] = {"outcome": self.ending.value}
        if self.value is not None:
            document["value"] = self.value
        if self.skip:
            document["skip"] = list(self.skip)
        if self.asset_events:
            document["asset_events"] = list(self.asset_events)
        if self.until is not None:
            document["until"] = self.until.isoformat()
        if self.retry_delay is not None:
            document["retry_delay"] = self.retry_delay.total_seconds()
        if self.deferral is not None:
            document["deferral"] = dict(self.deferral)
        if self.rendered_map_index is not None:
            document["rendered_map_index"] = self.rendered_map_index
        if self.error is not None:
            document["error"] = describe(self.error)
        return document


def outcome_of_error(error: BaseException) -> Outcome:
    """Return how a try that raised `error` ends."""
    match error:
        case AirflowSkipException():
            return Outcome(ending=Ending.SKIPPED, error=error)
        case AirflowRescheduleException(reschedule_date=until):
            aware = until if until.tzinfo else until.replace(tzinfo=UTC)
            return Outcome(ending=Ending.RESCHEDULE, until=aware.astimezone(UTC))
        case AirflowFailException() | AirflowSensorTimeout():
            return Outcome(ending=Ending.FAIL_WITHOUT_RETRY, error=error)
        case _:
            return Outcome(ending=Ending.FAILED, error=error)


def describe(error: BaseException) -> dict[str, str]:
    """Return type, message and traceback of an error, from the author's first frame on, with secrets masked."""
    trace = "".join(traceback.format_exception(type(error), error, _of_the_author(error.__traceback__)))
    return {"type": type(error).__name__, "message": masked(_message(error)), "traceback": masked(trace)}


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r}) was called"
    # str() of a KeyError is only its key.
    return "".join(traceback.format_exception_only(error)).strip()


def _of_the_author(trace: TracebackType | None) -> TracebackType | None:
    start = trace
    while start is not None and _is_ours(start.tb_frame.f_code.co_filename):
        start = start.tb_next
    return start or trace


def _is_ours(file: str) -> bool:
    return file.startswith((_FLOWD, "<frozen importlib"))
