"""Entry point of a process that asks a DAG's own timetable for its next run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowd.child.channel import Channel
from flowd.child.task_log import log_to_stdout
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import AirflowNotFoundException
from flowd.sdk.moments import moment
from flowd.sdk.supervisor import supervised_by
from flowd.sdk.timetable import DagRunInfo, DataInterval, TimeRestriction, Timetable


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Send the run that follows `payload["last"]` (start and end, or None), or an empty result where there is none.

    `earliest`, `latest` and `catchup` restrict it; moments are ISO 8601 texts. An error of the timetable ends the
    process, and is in its log.
    """
    log_to_stdout()
    with supervised_by(channel):
        timetable = _timetable(payload)
        last = payload["last"]
        info = timetable.next_dagrun_info(
            last_automated_data_interval=None if last is None else DataInterval(_read(last[0]), _read(last[1])),
            restriction=TimeRestriction(
                None if payload["earliest"] is None else _read(payload["earliest"]),
                None if payload["latest"] is None else _read(payload["latest"]),
                payload["catchup"],
            ),
        )
    channel.send_result({} if info is None else _result(info))


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
