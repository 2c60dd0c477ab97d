"""EndedRun: what came of a run in this process, under the names that Airflow's DagRun has."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flowd.domain.ids import UNMAPPED
from flowd.domain.states import RunState, TaskState
from flowd.sdk.xcom_arg import RETURN_KEY
from flowd.sdk.xcom_json import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTask:
    """A task instance at the end of the run; `duration` is in seconds, None where nothing was executed."""

    task_id: str
    map_index: int
    rendered_map_index: str | None
    state: TaskState
    try_number: int
    operator: str
    duration: float | None
    xcoms: Mapping[tuple[str, int, str], Any] = field(default_factory=dict, repr=False)

    def current_state(self) -> str:
        """Return the state."""
        return self.state

    def xcom_pull(self, task_ids: str | None = None, key: str = RETURN_KEY, map_indexes: int = UNMAPPED) -> Any:
        """Return what a task of the run pushed under `key`, this one where none is named; None where it did not."""
        index = self.map_index if task_ids is None else map_indexes
        return from_json(self.xcoms.get((task_ids or self.task_id, index, key)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """The run and its task instances, in the order in which they began."""

    dag_id: str
    run_id: str
    state: RunState
    logical_date: datetime | None
    conf: Mapping[str, Any]
    tasks: tuple[EndedTask, ...]

    @property
    def execution_date(self) -> datetime | None:
        """The logical date under its older name."""
        return self.logical_date

    def get_state(self) -> RunState:
        """Return the state."""
        return self.state

    def get_task_instances(self, state: str | Collection[str] | None = None) -> list[EndedTask]:
        """Return the task instances, or those in this state or one of these."""
        wanted = [state] if isinstance(state, str) else state
        return [one for one in self.tasks if wanted is None or one.state in wanted]

    def get_task_instance(self, task_id: str, *, map_index: int = UNMAPPED) -> EndedTask | None:
        """Return one task instance, None where the run has none such."""
        return next((one for one in self.tasks if (one.task_id, one.map_index) == (task_id, map_index)), None)
