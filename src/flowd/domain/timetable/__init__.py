"""When a DAG runs: specs (values), and pure functions over them. Semantics are Airflow 3's."""

from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.timetable.describe import description, summary
from flowd.domain.timetable.first_run import runs_from
from flowd.domain.timetable.next_run import (
    active_runs_limit,
    infer_manual_interval,
    is_periodic,
    next_run,
    previous_date,
    runs_between,
    upcoming,
)
from flowd.domain.timetable.schedule import timetable_from_schedule
from flowd.domain.timetable.specs import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    CustomTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    RuntimePartitionTimetable,
    TimetableSpec,
    timetable_from_json,
)

__all__ = [
    "ContinuousTimetable",
    "CronDataIntervalTimetable",
    "CronPartitionTimetable",
    "CronTriggerTimetable",
    "CustomTimetable",
    "DataInterval",
    "DeltaDataIntervalTimetable",
    "DeltaTriggerTimetable",
    "EventsTimetable",
    "MultipleCronTriggerTimetable",
    "NextRun",
    "NullTimetable",
    "OnceTimetable",
    "RuntimePartitionTimetable",
    "TimetableSpec",
    "active_runs_limit",
    "description",
    "infer_manual_interval",
    "is_periodic",
    "next_run",
    "previous_date",
    "runs_between",
    "runs_from",
    "summary",
    "timetable_from_json",
    "timetable_from_schedule",
    "upcoming",
]
