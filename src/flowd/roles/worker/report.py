"""Report: how one try ended, as it is spooled and then written to the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, assert_never

from flowd.db.ledger.write import Measured
from flowd.domain.assets import AssetNews, news_from_json, news_to_json
from flowd.domain.deferral import Deferral, deferral_from_json, deferral_to_json
from flowd.domain.ids import ClaimToken, InstanceKey, TaskId
from flowd.domain.task_events import (
    Cancelled,
    Deferred,
    Failed,
    Interrupted,
    Lost,
    ReportEvent,
    Rescheduled,
    Skipped,
    Succeeded,
)

_MEASURED = tuple(each.name for each in fields(Measured))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The event that ends a running try, what was measured of it, and what goes with it.

    With a success go XComs and asset events, with a deferral what it waits for; with any of them the name of the map
    index where the author gave it one.
    """

    instance: InstanceKey
    label: str
    event: ReportEvent
    measured: Measured = field(default_factory=Measured)
    returned: Mapping[str, Any] = field(default_factory=dict)
    asset_news: tuple[AssetNews, ...] = ()
    deferral: Deferral | None = None
    rendered_map_index: str | None = None


def report_to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "instance": report.instance,
        "label": report.label,
        "event": _event_to_json(report.event),
        "measured": {name: getattr(report.measured, name) for name in _MEASURED},
        "returned": dict(report.returned),
        "asset_news": [news_to_json(one) for one in report.asset_news],
        "deferral": None if report.deferral is None else deferral_to_json(report.deferral),
        "rendered_map_index": report.rendered_map_index,
    }


def report_from_json(document: Mapping[str, Any]) -> Report:
    """Return the report that `report_to_json` wrote; raise KeyError, TypeError or ValueError for anything else."""
    deferral = document["deferral"]
    return Report(
        instance=InstanceKey(document["instance"]),
        label=document["label"],
        event=_event_from_json(document["event"]),
        measured=Measured(**document["measured"]),
        returned=document["returned"],
        asset_news=tuple(news_from_json(one) for one in document["asset_news"]),
        deferral=None if deferral is None else deferral_from_json(deferral),
        rendered_map_index=document["rendered_map_index"],
    )


def _event_to_json(event: ReportEvent) -> dict[str, Any]:
    document: dict[str, Any] = {"name": type(event).__name__, "token": event.token}
    match event:
        case Succeeded(skips=skips):
            document["skips"] = list(skips)
        case Failed(retry_after=retry_after, is_retry_allowed=is_retry_allowed):
            document |= {"retry_after": retry_after.total_seconds(), "is_retry_allowed": is_retry_allowed}
        case Rescheduled(wait=wait):
            document["wait"] = wait.total_seconds()
        case Deferred(wait=wait):
            document["wait"] = None if wait is None else wait.total_seconds()
        case Skipped() | Interrupted() | Cancelled():
            pass
        case Lost():
            raise TypeError("a worker does not report its own loss")
        case _:
            assert_never(event)
    return document


def _event_from_json(document: Mapping[str, Any]) -> ReportEvent:
    token = ClaimToken(document["token"])
    match document["name"]:
        case "Succeeded":
            return Succeeded(token, tuple(TaskId(task_id) for task_id in document["skips"]))
        case "Failed":
            return Failed(token, timedelta(seconds=document["retry_after"]), document["is_retry_allowed"])
        case "Rescheduled":
            return Rescheduled(token, timedelta(seconds=document["wait"]))
        case "Deferred":
            wait = document["wait"]
            return Deferred(token, None if wait is None else timedelta(seconds=wait))
        case "Skipped":
            return Skipped(token)
        case "Interrupted":
            return Interrupted(token)
        case "Cancelled":
            return Cancelled(token)
        case name:
            raise ValueError(f"the spool holds the unknown event {name!r}")
