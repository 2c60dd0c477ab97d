"""Triggers that wait for runs and tasks of other DAGs."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any

from flowd.sdk.external_states import run_states, task_instances
from flowd.sdk.external_wait import Found, Wanted
from flowd.sdk.triggers import BaseTrigger, TriggerEvent


class WorkflowTrigger(BaseTrigger):
    """Looks every `poke_interval` seconds whether the runs of these dates, or tasks in them, are in a wanted state.

    Its payload is `{"status": "success" | "failed" | "skipped"}`.
    """

    def __init__(
        self,
        external_dag_id: str,
        run_ids: Sequence[str] | None = None,
        execution_dates: Sequence[datetime] | None = None,
        logical_dates: Sequence[datetime] | None = None,
        external_task_ids: Collection[str] | None = None,
        external_task_group_id: str | None = None,
        failed_states: Collection[str] | None = None,
        skipped_states: Collection[str] | None = None,
        allowed_states: Collection[str] | None = None,
        poke_interval: float = 2.0,
        soft_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.external_dag_id, self.run_ids = external_dag_id, run_ids
        self.logical_dates = logical_dates if logical_dates is not None else execution_dates
        self.external_task_ids, self.external_task_group_id = external_task_ids, external_task_group_id
        self.failed_states, self.skipped_states = failed_states, skipped_states
        self.allowed_states = allowed_states
        self.poke_interval, self.soft_fail = poke_interval, soft_fail

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it waits for."""
        names = (
            "external_dag_id", "run_ids", "logical_dates", "external_task_ids", "external_task_group_id",
            "failed_states", "skipped_states", "allowed_states", "poke_interval", "soft_fail",
        )  # fmt: skip
        return (
            "airflow.providers.standard.triggers.external_task.WorkflowTrigger",
            {name: getattr(self, name) for name in names},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire when the wait is over."""
        wanted = Wanted(
            allowed=_texts(self.allowed_states) or ["success"],
            skipped=_texts(self.skipped_states),
            failed=_texts(self.failed_states),
        )
        runs = len(self.run_ids or self.logical_dates or ())
        while True:
            verdict = wanted.verdict(await asyncio.to_thread(self._look), runs)
            if verdict != "waiting":
                yield TriggerEvent({"status": verdict})
                return
            await asyncio.sleep(self.poke_interval)

    def _look(self) -> Found:
        choice: dict[str, Any] = {"run_ids": self.run_ids, "logical_dates": self.logical_dates}
        if self.external_task_ids is None and self.external_task_group_id is None:
            return Found.of_runs(run_states(self.external_dag_id, **choice))
        tasks = None if self.external_task_ids is None else list(self.external_task_ids)
        found = task_instances(
            self.external_dag_id, task_ids=tasks, task_group_id=self.external_task_group_id, **choice
        )
        return Found.of_tasks(found, tasks)


class DagStateTrigger(BaseTrigger):
    """Looks every `poll_interval` seconds whether all these runs of a DAG are in one of `states`.

    Its payload is its path and its arguments, to which the state of each run is added by the run's id.
    """

    def __init__(
        self,
        dag_id: str,
        states: Collection[str],
        run_ids: Sequence[str] | None = None,
        execution_dates: Sequence[datetime] | None = None,
        poll_interval: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.dag_id, self.states = dag_id, _texts(states)
        self.run_ids, self.execution_dates = run_ids, execution_dates
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it waits for."""
        names = ("dag_id", "states", "run_ids", "execution_dates", "poll_interval")
        return (
            "airflow.providers.standard.triggers.external_task.DagStateTrigger",
            {name: getattr(self, name) for name in names},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire when all are there."""
        runs = len(self.run_ids or self.execution_dates or ())
        while True:
            found = await asyncio.to_thread(
                run_states, self.dag_id, run_ids=self.run_ids, logical_dates=self.execution_dates
            )
            ended = {run_id: state for run_id, state in found.items() if state in self.states}
            if len(ended) >= runs:
                classpath, arguments = self.serialize()
                yield TriggerEvent((classpath, {**arguments, **ended}))
                return
            await asyncio.sleep(self.poll_interval)


def _texts(states: Collection[str] | None) -> list[str]:
    return [str(state) for state in states or ()]
