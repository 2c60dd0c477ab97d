"""RunningTaskInstance: `ti` in the context of a task: who it is, and its XComs."""

import logging
import os
import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from flowd.domain.assignment import Assignment
from flowd.domain.ids import UNMAPPED
from flowd.sdk import external_states
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.dag_run import RunningDagRun
from flowd.sdk.moments import moment
from flowd.sdk.not_queried import NotQueried
from flowd.sdk.supervisor import ask
from flowd.sdk.task_instance_key import TaskInstanceKey
from flowd.sdk.xcom_arg import RETURN_KEY
from flowd.sdk.xcom_json import from_json, to_json
from flowd.sdk.xcom_store import kept


class RunningTaskInstance(metaclass=NotQueried):
    """One try of a task, while it runs; it also answers about other DAGs, their runs and their tasks."""

    airflow_name = "TaskInstance"

    get_dag = staticmethod(external_states.get_dag)
    get_dagrun_state = staticmethod(external_states.get_dagrun_state)
    get_dr_count = staticmethod(external_states.get_dr_count)
    get_task_states = staticmethod(external_states.get_task_states)
    get_ti_count = staticmethod(external_states.get_ti_count)

    def __init__(self, assignment: Assignment, task: BaseOperator, dag_run: RunningDagRun) -> None:
        self.task = task
        self.dag_run = dag_run
        self.dag_id: str = assignment.dag_id
        self.task_id: str = assignment.task_id
        self.run_id: str = assignment.run_id
        self.map_index = assignment.map_index
        self.try_number = assignment.try_number
        self.max_tries = assignment.max_tries
        self.leg, self.waits_since = assignment.leg, assignment.waits_since
        self.queue, self.operator = assignment.queue, assignment.operator
        self.pool, self.priority_weight = task.pool, task.priority_weight
        self.end_date: datetime | None = None
        self._started_at = datetime.now(UTC)
        self.pid = os.getpid()
        self.state = "running"
        self.context: Mapping[str, Any] = {}
        self.skipped: list[str] = []

    @cached_property
    def start_date(self) -> datetime:
        """When the try began."""
        return moment(self._started_at)

    @cached_property
    def hostname(self) -> str:
        """The machine it runs on."""
        return socket.gethostname()

    @property
    def logical_date(self) -> datetime | None:
        """The logical date of the run."""
        return self.dag_run.logical_date

    @property
    def execution_date(self) -> datetime | None:
        """The logical date under its older name."""
        return self.dag_run.logical_date

    @property
    def key(self) -> TaskInstanceKey:
        """DAG id, task id, run id, try number, map index."""
        return TaskInstanceKey(self.dag_id, self.task_id, self.run_id, self.try_number, self.map_index)

    @property
    def log(self) -> logging.Logger:
        """The task's logger."""
        return self.task.log

    @property
    def log_url(self) -> str:
        """The page with the log of this try; absolute where FLOWD_API_URL is set."""
        base = os.environ.get("FLOWD_API_URL", "").rstrip("/")
        return f"{base}{self.page_path}?try_number={self.try_number}"

    @property
    def page_path(self) -> str:
        """Where on the server the page of this task instance is."""
        dag_id, run_id, task_id = (quote(part, safe="") for part in (self.dag_id, self.run_id, self.task_id))
        mapped = "" if self.map_index == UNMAPPED else f"/mapped/{self.map_index}"
        return f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}"

    def get_first_reschedule_date(self, context: Any = None) -> datetime | None:
        """Return when the task first began to wait, retries included; None where it has not been rescheduled."""
        return None if self.waits_since is None else moment(self.waits_since)

    def get_template_context(self) -> Mapping[str, Any]:
        """Return the context the task executes in."""
        return self.context

    def get_dagrun(self) -> RunningDagRun:
        """Return the run."""
        return self.dag_run

    def current_state(self) -> str:
        """Return the state, which is running."""
        return self.state

    def xcom_push(self, key: str, value: Any) -> None:
        """Push a value under `key`; raise TypeError where it cannot be written as JSON."""
        ask("xcom_push", key=key, value=self.to_xcom(value))

    def to_xcom(self, value: Any) -> Any:
        """Return the JSON that is pushed for a value, a reference where it is large and is stored elsewhere."""
        return kept(to_json(value), self.dag_id, self.run_id, self.task_id, self.map_index)

    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        dag_id: str | None = None,
        key: str = RETURN_KEY,
        include_prior_dates: bool = False,
        *,
        map_indexes: int | Iterable[int] | None = None,
        default: Any = None,
        run_id: str | None = None,
    ) -> Any:
        """Return what tasks of this run pushed under `key`.

        One task id gives its value, or a list where the task is mapped; several give a list in their order; None gives
        the latest of any task. `default` stands for what was not pushed.
        """
        wanted = [task_ids] if isinstance(task_ids, str) else None if task_ids is None else list(task_ids)
        indexes = [map_indexes] if isinstance(map_indexes, int) else None if map_indexes is None else list(map_indexes)
        answer = ask(
            "xcom_pull",
            task_ids=wanted,
            key=key,
            dag_id=dag_id,
            run_id=run_id,
            map_indexes=indexes,
            include_prior_dates=include_prior_dates,
        )
        entries: list[dict[str, Any]] = answer["entries"]
        if task_ids is None:
            return from_json(entries[-1]["value"]) if entries else default
        values: list[Any] = []
        for task_id in wanted or ():
            own = sorted((e for e in entries if e["task_id"] == task_id), key=lambda entry: entry["map_index"])
            values += [from_json(entry["value"]) for entry in own] or [default]
        is_single = map_indexes is None or isinstance(map_indexes, int)
        is_mapped = map_indexes is None and any(entry["map_index"] != UNMAPPED for entry in entries)
        return values[0] if isinstance(task_ids, str) and is_single and not is_mapped else values

    def skip(self, task_ids: Iterable[str]) -> None:
        """Let these tasks behind this one be skipped when it succeeds, whatever their trigger rules say."""
        self.skipped = [*self.skipped, *(task_id for task_id in task_ids if task_id not in self.skipped)]

    def __repr__(self) -> str:
        index = "" if self.map_index == UNMAPPED else f" map_index={self.map_index}"
        return f"<TaskInstance: {self.dag_id}.{self.task_id} {self.run_id}{index} [{self.state}]>"
