"""Context: what a task may know, under Airflow's names; some values are asked for only when they are used."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from flowd.domain.assignment import Assignment, RunContext
from flowd.domain.ids import UNMAPPED
from flowd.sdk import macros
from flowd.sdk.accessors import ConnectionAccessor, VariableAccessors
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.dag import DAG
from flowd.sdk.dag_run import RunningDagRun, dag_run_of
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.moments import moment
from flowd.sdk.supervisor import ask
from flowd.sdk.task_instance import RunningTaskInstance

_ASKED = (
    "prev_data_interval_start_success", "prev_data_interval_end_success", "prev_start_date_success",
    "prev_end_date_success",
)  # fmt: skip
_DATES = (
    "ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "yesterday_ds", "yesterday_ds_nodash", "tomorrow_ds",
    "tomorrow_ds_nodash", "next_ds", "next_ds_nodash",
)  # fmt: skip
CONTEXT_KEYS = frozenset(
    (
        *_ASKED, *_DATES, "conn", "dag", "dag_run", "data_interval_end", "data_interval_start", "execution_date",
        "exception", "inlets", "logical_date", "macros", "map_index", "next_execution_date", "outlets", "params",
        "run_id", "start_date", "task", "task_instance", "task_instance_key_str", "templates_dict", "test_mode", "ti",
        "try_number", "var",
    )
)  # fmt: skip
"""Every name a function of a task may ask for; a parameter of such a name without a default gets its value."""


class Context(MutableMapping[str, Any]):
    """A mapping of which some values come from a function, called at the first reading."""

    def __init__(self, values: Mapping[str, Any], on_reading: Mapping[str, Callable[[], Any]] | None = None) -> None:
        self._values = dict(values)
        self._on_reading = dict(on_reading or {})

    def __getitem__(self, key: str) -> Any:
        if key in self._on_reading:
            self._values[key] = self._on_reading.pop(key)()
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._on_reading.pop(key, None)
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        if self._on_reading.pop(key, None) is None:
            del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._values, **self._on_reading})

    def __len__(self) -> int:
        return len({**self._values, **self._on_reading})

    def __contains__(self, key: object) -> bool:
        return key in self._values or key in self._on_reading

    def __or__(self, other: Mapping[str, Any]) -> "Context":
        return Context({**self._values, **other}, {k: v for k, v in self._on_reading.items() if k not in other})

    def copy(self) -> "Context":
        """Return a context of its own with the same values."""
        return Context(self._values, self._on_reading)


# One per process and not per thread: threads a task starts are in the same context.
_current: list[Context] = []


def get_current_context() -> Context:
    """Return the context of the running task; raise AirflowException outside of one."""
    if not _current:
        raise AirflowException("get_current_context() was called outside of a running task; call it within one")
    return _current[-1]


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
    dag_run = dag_run_of(assignment.dag_id, assignment.run_id, assignment.run)
    ti = RunningTaskInstance(assignment, task, dag_run)
    context = context_of_run(task.dag, dag_run, assignment.run)
    for name, value in {
        "inlets": task.inlets,
        "map_index": assignment.map_index,
        "outlets": task.outlets,
        "params": _params(assignment.run, task),
        "task": task,
        "task_instance": ti,
        "task_instance_key_str": _key_text(assignment, context["ds_nodash"]),
        "templates_dict": None,
        "ti": ti,
        "try_number": assignment.try_number,
        # Last, as the author may replace any name.
        **task.dag.user_defined_macros,
    }.items():
        context[name] = value
    ti.context = context
    return context


def context_of_run(dag: DAG, dag_run: RunningDagRun, run: RunContext) -> Context:
    """Return what is known of a run without a task, which is what the callbacks of a DAG are given."""
    values: dict[str, Any] = {
        **_date_texts(dag_run.logical_date or dag_run.run_after, dag_run.data_interval_end),
        "conn": ConnectionAccessor(),
        "dag": dag,
        "dag_run": dag_run,
        "data_interval_end": dag_run.data_interval_end,
        "data_interval_start": dag_run.data_interval_start,
        "exception": None,
        "execution_date": dag_run.logical_date,
        "logical_date": dag_run.logical_date,
        "macros": macros,
        "next_execution_date": dag_run.data_interval_end,
        "params": {**dag.params.dump(), **run.params},
        "run_id": dag_run.run_id,
        "start_date": dag_run.start_date,
        "test_mode": False,
        "var": VariableAccessors(),
    }
    return Context(values, _asked_of_the_server())


def _date_texts(date: datetime, interval_end: datetime | None) -> dict[str, str]:
    # As in Airflow these are of the date in UTC.
    following = interval_end or date
    days = {
        "ds": date,
        "yesterday_ds": date - timedelta(days=1),
        "tomorrow_ds": date + timedelta(days=1),
        "next_ds": following,
    }
    texts = {name: day.strftime("%Y-%m-%d") for name, day in days.items()}
    return {
        **texts,
        **{f"{name}_nodash": text.replace("-", "") for name, text in texts.items()},
        "ts": date.isoformat(),
        "ts_nodash": date.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": date.isoformat().replace("-", "").replace(":", ""),
    }


def _params(run_context: RunContext, task: BaseOperator) -> dict[str, Any]:
    # The run's are the DAG's defaults with conf over them. The task's own default beats the DAG's, and conf beats both.
    run, conf = run_context.params, run_context.conf
    of_dag = task.dag.params.params()
    own = {name: p.value for name, p in task.params.params().items() if name not in run or p is not of_dag.get(name)}
    return {**run, **own, **{name: conf[name] for name in own if name in conf}}


def _key_text(assignment: Assignment, day: str) -> str:
    index = "" if assignment.map_index == UNMAPPED else f"__{assignment.map_index}"
    return f"{assignment.dag_id}__{assignment.task_id}__{day}{index}"


def _asked_of_the_server() -> dict[str, Callable[[], Any]]:
    answer: dict[str, Any] = {}

    def reader(name: str) -> Callable[[], Any]:
        def read() -> Any:
            if not answer:
                answer.update(ask("context"))
            text = answer.get(name)
            return None if text is None else moment(datetime.fromisoformat(text))

        return read

    return {name: reader(name) for name in _ASKED}
