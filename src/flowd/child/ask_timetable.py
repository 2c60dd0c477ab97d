"""Entry point of a process that asks a DAG's own timetable for its next runs, or what a triggered run is about."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowd.child.channel import Channel
from flowd.child.supervision import kept
from flowd.child.task_log import log_to_stdout
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import AirflowNotFoundException
from flowd.sdk.moments import moment
from flowd.sdk.timetable import DagRunInfo, DataInterval, TimeRestriction, Timetable


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Send the runs that follow `payload["last"]` (start and end, or None), `payload["most"]` of them where there are.

    `earliest`, `latest` and `catchup` restrict them; moments are ISO 8601 texts. With `payload["triggered"]`, a moment,
    it is the one run that was triggered for it. An error of the timetable ends the process, and is in its log.
    """
    log_to_stdout()
    with kept(channel):
        timetable = _timetable(payload)
        runs = [_triggered(timetable, payload["triggered"])] if "triggered" in payload else _next(timetable, payload)
    channel.send_result({"runs": runs})


def _triggered(timetable: Timetable, moment_of_run: str) -> dict[str, str]:
    run_after = _read(moment_of_run)
    return _result(DagRunInfo(run_after, timetable.infer_manual_data_interval(run_after=run_after)))


def _next(timetable: Timetable, payload: Mapping[str, Any]) -> list[dict[str, str]]:
    last = None if payload["last"] is None else DataInterval(*map(_read, payload["last"]))
    latest = None if payload["latest"] is None else _read(payload["latest"])
    restriction = TimeRestriction(_read(payload["earliest"]), latest, payload["catchup"])
    runs: list[dict[str, str]] = []
    while len(runs) < payload["most"]:
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if info is None:
            break
        runs.append(_result(info))
        last = DataInterval(*info.data_interval)
    return runs


def _timetable(payload: Mapping[str, Any]) -> Timetable:
    for dag in load(payload["bundle_root"], payload["file"]):
        if dag.dag_id == payload["dag_id"] and isinstance(dag.timetable_object, Timetable):
            return dag.timetable_object
    raise AirflowNotFoundException(f"{payload['file']} gives DAG {payload['dag_id']!r} no timetable of its own")


def _result(info: DagRunInfo) -> dict[str, str]:
    interval = info.data_interval
    return {name: _written(at) for name, at in (
        ("run_after", info.run_after), ("start", interval.start), ("end", interval.end),
    )}  # fmt: skip


def _read(text: str) -> datetime:
    return moment(datetime.fromisoformat(text))


def _written(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError(f"the timetable gave {at.isoformat()}, which has no time zone; give it one such as UTC")
    return datetime.fromisoformat(at.isoformat()).astimezone(UTC).isoformat()
