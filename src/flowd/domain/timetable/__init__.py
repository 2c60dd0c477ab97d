"""When a DAG runs: specs (values), and pure functions over them. Semantics are Airflow 3's."""

from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.timetable.describe import description, summary
from flowd.domain.timetable.next_run import (
    active_runs_limit,
    infer_manual_interval,
    next_run,
    previous_date,
    runs_between,
    upcoming,
)
from flowd.domain.timetable.schedule import timetable_from_schedule
from flowd.domain.timetable.specs import (
    ContinuousTimetable,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    CustomTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    MultipleCronTriggerTimetable,
    NullTimetable,
    OnceTimetable,
    TimetableSpec,
    timetable_from_json,
)

__all__ = [
    "ContinuousTimetable",
    "CronDataIntervalTimetable",
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
    "TimetableSpec",
    "active_runs_limit",
    "description",
    "infer_manual_interval",
    "next_run",
    "previous_date",
    "runs_between",
    "summary",
    "timetable_from_json",
    "timetable_from_schedule",
    "upcoming",
]
