"""How runs are named where nobody names them: Airflow's pattern, type and moment."""

from datetime import UTC, datetime

from flowd.domain.ids import RunId
from flowd.domain.states import RunType


def run_id_for(run_type: RunType, moment: datetime) -> RunId:
    """Return the id of a run of this type at this moment: `manual__2026-11-22T10:00:00+00:00`."""
    return RunId(f"{run_type.value}__{moment.astimezone(UTC).isoformat()}")


def scheduled_run_id(logical_date: datetime) -> RunId:
    """Return the id of the scheduled run of this logical date."""
    return run_id_for(RunType.SCHEDULED, logical_date)


def asset_run_id(run_after: datetime, first_event: int) -> RunId:
    """Return the id of a run about asset events, of which `first_event` is the first: no two runs of a DAG share it."""
    return RunId(f"{run_id_for(RunType.ASSET_TRIGGERED, run_after)}_{first_event}")
