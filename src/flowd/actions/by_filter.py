"""By filter: one change for everything that a filter has found, where that is still what was looked at before."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flowd.actions.backends import Backends
from flowd.actions.clear_tasks import ClearSelection, clear_tasks
from flowd.actions.delete import delete_run
from flowd.actions.mark import mark_run, mark_tasks
from flowd.domain.errors import Conflict, FlowdError
from flowd.domain.ids import DagId, RunId, TaskId
from flowd.domain.states import RunState, TaskState

MOST_FOUND = 1_000
"""How much one request changes; each run is a transaction of its own."""


class FilterAction(StrEnum):
    """What is to become of what was found."""

    CLEAR = "clear"
    MARK = "mark"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run or a task instance, as it was when it was found; a run has no task."""

    dag_id: str
    run_id: str
    task_id: str | None = None
    map_index: int = -1
    state: str
    try_number: int = 0

    @property
    def name(self) -> str:
        """What people call it."""
        index = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}.{self.run_id}" + (f".{self.task_id}{index}" if self.task_id is not None else "")


@dataclass(frozen=True, slots=True)
class Failure:
    """What was not changed, and why."""

    name: str
    error: FlowdError


def fingerprint(action: FilterAction, options: Mapping[str, Any], found: Sequence[Found]) -> str:
    """Return what tells this change of these things, in the states they are in, from every other."""
    things = sorted([one.name, one.state, one.try_number] for one in found)
    text = json.dumps([action.value, dict(options), things], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_fingerprint(shown: str, now: str) -> None:
    """Raise Conflict where something else is found, or in other states, than when somebody looked."""
    if shown != now:
        raise Conflict(
            f"what the filter finds, or what is to be done, is not what was shown under the hash {shown[:12]}; look at"
            " it again without a hash, and send the new one"
        )


async def change_runs(
    backends: Backends,
    action: FilterAction,
    found: Sequence[Found],
    *,
    state: RunState | None = None,
    only_failed: bool = False,
) -> list[Failure]:
    """Clear these runs, mark them with `state`, or delete them, one after the other; return what failed.

    What fails holds up nothing else.
    """

    def change(one: Found) -> Awaitable[Any]:
        dag_id, run_id = DagId(one.dag_id), RunId(one.run_id)
        match action:
            case FilterAction.CLEAR:
                selection = ClearSelection(dag_id=dag_id, run_id=run_id, only_failed=only_failed)
                return clear_tasks(backends, selection, dry_run=False)
            case FilterAction.MARK:
                assert state is not None
                return mark_run(backends, dag_id, run_id, state)
            case FilterAction.DELETE:
                return delete_run(backends, dag_id, run_id)

    failures: list[Failure] = []
    for one in found:
        try:
            await change(one)
        except FlowdError as error:
            failures.append(Failure(one.name, error))
    return failures


async def change_instances(backends: Backends, found: Sequence[Found], state: TaskState | None = None) -> list[Failure]:
    """Mark these task instances with `state`, or without one clear them, run by run; return what failed.

    What is cleared takes along its setups and teardowns, and lets its run go on. What fails holds up no other run.
    """
    by_run: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for one in found:
        by_run[one.dag_id, one.run_id].append(one)
    failures: list[Failure] = []
    for (dag_id, run_id), instances in by_run.items():
        tasks = [(TaskId(one.task_id or ""), one.map_index) for one in instances]
        try:
            if state is not None:
                await mark_tasks(backends, DagId(dag_id), RunId(run_id), tasks, state)
            else:
                await clear_tasks(backends, _selection(DagId(dag_id), RunId(run_id), tasks), dry_run=False)
        except FlowdError as error:
            failures += [Failure(one.name, error) for one in instances]
    return failures


def _selection(dag_id: DagId, run_id: RunId, tasks: Sequence[tuple[TaskId, int]]) -> ClearSelection:
    indexes: dict[TaskId, set[int]] = defaultdict(set)
    for task_id, map_index in tasks:
        indexes[task_id].add(map_index)
    return ClearSelection(dag_id=dag_id, run_id=run_id, task_ids=sorted(indexes), map_indexes=indexes)
