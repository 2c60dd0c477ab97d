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


def partition_run_id(run_after: datetime, first_event: int, number: int) -> RunId:
    """Return the id of one of several runs, by `number`, that were made at once for partitions of assets."""
    return RunId(f"{asset_run_id(run_after, first_event)}_{number}")


def scheduled_partition_run_id(run_after: datetime, key: str) -> RunId:
    """Return the id of the scheduled run at this tick, which is about the partition `key`."""
    plain = "".join(one if one.isalnum() or one in "_.~:+-" else "_" for one in key)
    return RunId(f"{run_id_for(RunType.SCHEDULED, run_after)}__{plain[:150]}")
