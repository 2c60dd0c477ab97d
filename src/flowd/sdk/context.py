"""Context: what a task may know, under Airflow's names; some values are asked for only when they are used."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from flowd.domain.assignment import Assignment, RunContext
from flowd.domain.ids import UNMAPPED
from flowd.domain.states import RunType
from flowd.domain.timetable import previous_date
from flowd.sdk import macros
from flowd.sdk.accessors import ConnectionAccessor, VariableAccessors
from flowd.sdk.asset_events import InletEvents, OutletEvents, TriggeringAssetEvents, triggering_events
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.dag import DAG
from flowd.sdk.dag_run import PREVIOUS_DATES, RunningDagRun
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.moments import moment
from flowd.sdk.state_store import AssetStateStores, TaskStateStore
from flowd.sdk.task_instance import RunningTaskInstance

_DATES = (
    "ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "yesterday_ds", "yesterday_ds_nodash", "tomorrow_ds",
    "tomorrow_ds_nodash", "next_ds", "next_ds_nodash", "prev_ds", "prev_ds_nodash",
)  # fmt: skip
CONTEXT_KEYS = frozenset(
    (
        *PREVIOUS_DATES, *_DATES, "conn", "dag", "dag_run", "data_interval_end", "data_interval_start",
        "execution_date",
        "exception", "inlet_events", "inlets", "logical_date", "macros", "map_index", "next_execution_date",
        "outlet_events", "outlets", "params", "partition_date",
        "partition_key", "prev_execution_date", "prev_execution_date_success", "run_id",
        "start_date", "task", "task_instance", "task_instance_key_str", "templates_dict", "test_mode", "ti",
        "triggering_asset_events", "triggering_dataset_events",
        "asset_state_store", "task_state_store", "try_number", "var",
    )
)  # fmt: skip
"""Every name a function of a task may ask for; a parameter of such a name without a default gets its value."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the values of a context are made from; `task` and `assignment` are None in the callbacks of a DAG."""

    dag: DAG
    dag_run: RunningDagRun
    run: RunContext
    task: BaseOperator | None = None
    assignment: Assignment | None = None


class Context(MutableMapping[str, Any]):
    """A mapping of which some values are made from `origin` when they are first read, by the functions `on_reading`."""

    def __init__(
        self,
        values: Mapping[str, Any],
        on_reading: Mapping[str, Callable[[Origin], Any]] = MappingProxyType({}),
        origin: Origin | None = None,
    ) -> None:
        self._values = dict(values)
        self._on_reading = on_reading
        self._origin = origin

    def __getitem__(self, key: str) -> Any:
        if key not in self._values and self._origin is not None and key in self._on_reading:
            self._values[key] = self._on_reading[key](self._origin)
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._values.pop(key, None)
        self._on_reading = {name: function for name, function in self._on_reading.items() if name != key}

    def __iter__(self) -> Iterator[str]:
        return iter({**self._values, **self._on_reading})

    def __len__(self) -> int:
        return len({**self._values, **self._on_reading})

    def __contains__(self, key: object) -> bool:
        return key in self._values or key in self._on_reading

    def __or__(self, other: Mapping[str, Any]) -> "Context":
        return Context({**self._values, **other}, self._on_reading, self._origin)

    def stand_for(self, task: BaseOperator) -> None:
        """Become the context of `task`, the operator of one instance of the mapped task that it was made for."""
        assert self._origin is not None
        self._origin = replace(self._origin, task=task)
        self._values |= {"task": task, "params": _params(self._origin.run, task), "inlets": task.inlets}
        self._values["ti"].task = task

    def copy(self) -> "Context":
        """Return a context of its own with the same values."""
        return Context(self._values, self._on_reading, self._origin)


# One per process and not per thread: threads a task starts are in the same context.
_current: list[Context] = []


def get_current_context() -> Context:
    """Return the context of the running task; raise AirflowException outside of one."""
    if not _current:
        raise AirflowException("get_current_context() was called outside of a running task; call it within one")
    return _current[-1]


def is_in_task() -> bool:
    """Return True within a running task."""
    return bool(_current)


@contextmanager
def executing_in(context: Context) -> Iterator[None]:
    """Let `get_current_context` give `context` within the block."""
    _current.append(context)
    try:
        yield
    finally:
        _current.pop()


def context_of(assignment: Assignment, task: BaseOperator) -> Context:
    """Return the context in which `task` executes this try."""
    dag, run = task.dag, assignment.run
    dag_run = RunningDagRun(assignment.dag_id, assignment.run_id, run)
    ti = RunningTaskInstance(assignment, task, dag_run)
    values = {
        **_values_of_run(dag, dag_run),
        "inlets": task.inlets,
        "map_index": assignment.map_index,
        "outlet_events": OutletEvents(task.outlets),
        "outlets": task.outlets,
        "params": _params(run, task),
        "task": task,
        "task_instance": ti,
        "task_state_store": _TASK_STATE,
        "templates_dict": None,
        "ti": ti,
        "try_number": assignment.try_number,
        # Last, as the author may replace any name.
        **dag.user_defined_macros,
    }
    context = Context(values, _OF_TASK, Origin(dag, dag_run, run, task, assignment))
    ti.context = context
    return context


def context_of_run(dag: DAG, dag_run: RunningDagRun, run: RunContext) -> Context:
    """Return what is known of a run without a task, which is what the callbacks of a DAG are given."""
    values = {**_values_of_run(dag, dag_run), "params": {**dag.params.dump(), **run.params}}
    return Context(values, _OF_RUN, Origin(dag, dag_run, run))


def _values_of_run(dag: DAG, dag_run: RunningDagRun) -> dict[str, Any]:
    return {
        "conn": _CONNECTIONS,
        "dag": dag,
        "dag_run": dag_run,
        "exception": None,
        "macros": macros,
        "run_id": dag_run.run_id,
        "test_mode": False,
        "var": _VARIABLES,
    }


def _date(origin: Origin) -> datetime:
    # As in Airflow the texts are of the date in UTC.
    return origin.dag_run.logical_date or origin.dag_run.run_after


def _following(origin: Origin) -> datetime:
    return origin.dag_run.data_interval_end or _date(origin)


def _preceding(origin: Origin) -> datetime | None:
    # As in Airflow, a run that somebody triggered is preceded by itself.
    date = origin.run.logical_date
    if date is None or origin.dag_run.external_trigger:
        return origin.dag_run.logical_date
    return moment(previous_date(origin.dag.timetable, date))


def _preceding_day(origin: Origin, form: str) -> str | None:
    date = _preceding(origin)
    return None if date is None else date.strftime(form)


def _params(run_context: RunContext, task: BaseOperator) -> dict[str, Any]:
    # The run's are the DAG's defaults with conf over them. The task's own default beats the DAG's, and conf beats both.
    run, conf = run_context.params, run_context.conf
    of_dag = task.dag.params.params()
    own = {name: p.value for name, p in task.params.params().items() if name not in run or p is not of_dag.get(name)}
    return {**run, **own, **{name: conf[name] for name in own if name in conf}}


def _key_text(origin: Origin) -> str:
    assignment = origin.assignment
    assert assignment is not None
    index = "" if assignment.map_index == UNMAPPED else f"__{assignment.map_index}"
    return f"{assignment.dag_id}__{assignment.task_id}__{_date(origin).strftime(_DAY_NODASH)}{index}"


def _inlet_events(origin: Origin) -> InletEvents:
    assert origin.task is not None
    return InletEvents(origin.task.inlets)


def _asset_state(origin: Origin) -> AssetStateStores:
    assert origin.task is not None
    return AssetStateStores(origin.task.inlets, origin.task.outlets)


def _triggering(origin: Origin) -> TriggeringAssetEvents:
    # Whoever takes the whole context must not ask the server for what only a run of assets has.
    return triggering_events() if origin.run.run_type is RunType.ASSET_TRIGGERED else TriggeringAssetEvents([])


def _asked(name: str) -> Callable[[Origin], Any]:
    return lambda origin: origin.dag_run.previous_dates.get(name)


_DAY = "%Y-%m-%d"
_DAY_NODASH = "%Y%m%d"
_ONE_DAY = timedelta(days=1)

_OF_RUN: Mapping[str, Callable[[Origin], Any]] = {
    "ds": lambda origin: _date(origin).strftime(_DAY),
    "ds_nodash": lambda origin: _date(origin).strftime(_DAY_NODASH),
    "yesterday_ds": lambda origin: (_date(origin) - _ONE_DAY).strftime(_DAY),
    "yesterday_ds_nodash": lambda origin: (_date(origin) - _ONE_DAY).strftime(_DAY_NODASH),
    "tomorrow_ds": lambda origin: (_date(origin) + _ONE_DAY).strftime(_DAY),
    "tomorrow_ds_nodash": lambda origin: (_date(origin) + _ONE_DAY).strftime(_DAY_NODASH),
    "next_ds": lambda origin: _following(origin).strftime(_DAY),
    "next_ds_nodash": lambda origin: _following(origin).strftime(_DAY_NODASH),
    "prev_ds": lambda origin: _preceding_day(origin, _DAY),
    "prev_ds_nodash": lambda origin: _preceding_day(origin, _DAY_NODASH),
    "prev_execution_date": _preceding,
    "prev_execution_date_success": lambda origin: origin.dag_run.previous_dates["prev_data_interval_start_success"],
    # Airflow 1.10 had these; they are too common as names for a function to be given them unasked.
    **{name: lambda origin: _date(origin).strftime(_DAY) for name in ("latest_date", "end_date", "END_DATE")},
    "ts": lambda origin: _date(origin).isoformat(),
    "ts_nodash": lambda origin: _date(origin).strftime("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": lambda origin: _date(origin).isoformat().replace("-", "").replace(":", ""),
    "data_interval_start": lambda origin: origin.dag_run.data_interval_start,
    "data_interval_end": lambda origin: origin.dag_run.data_interval_end,
    "logical_date": lambda origin: origin.dag_run.logical_date,
    "execution_date": lambda origin: origin.dag_run.logical_date,
    "next_execution_date": lambda origin: origin.dag_run.data_interval_end,
    "partition_date": lambda origin: origin.dag_run.partition_date,
    "partition_key": lambda origin: origin.dag_run.partition_key,
    "start_date": lambda origin: origin.dag_run.start_date,
    **{name: _asked(name) for name in PREVIOUS_DATES},
}
_OF_TASK: Mapping[str, Callable[[Origin], Any]] = {
    **_OF_RUN,
    "asset_state_store": _asset_state,
    "inlet_events": _inlet_events,
    "task_instance_key_str": _key_text,
    "triggering_asset_events": _triggering,
    "triggering_dataset_events": _triggering,
}

_CONNECTIONS, _VARIABLES, _TASK_STATE = ConnectionAccessor(), VariableAccessors(), TaskStateStore()
