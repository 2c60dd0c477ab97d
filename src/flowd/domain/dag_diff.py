"""DagDiff: what of a DAG is another between two of its versions, field by field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowd.domain.dag_spec import DagSpec, dag_to_json
from flowd.domain.task_spec import task_to_json

_NOT_COMPARED = ("format", "tasks", "dag_id", "task_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedTask:
    """A task that both versions have, and the fields in which they differ."""

    task_id: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DagDiff:
    """The fields of the DAG itself that differ, and its tasks; empty where the structure is the same."""

    fields: tuple[str, ...] = ()
    tasks_added: tuple[str, ...] = ()
    tasks_removed: tuple[str, ...] = ()
    tasks_changed: tuple[ChangedTask, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True where nothing differs."""
        return self == DagDiff()


def diff_dags(before: DagSpec | None, after: DagSpec | None) -> DagDiff:
    """Return what differs; of a DAG that is new or gone only its tasks are told, all as added or removed.

    Fields are named as in the stored form of a version. Those of the tasks' presentation are named one by one, so that
    a new label is told from a new owner.
    """
    old = {} if before is None else {task.task_id: _flat(task_to_json(task)) for task in before.tasks}
    new = {} if after is None else {task.task_id: _flat(task_to_json(task)) for task in after.tasks}
    changed = [
        ChangedTask(task_id=task_id, fields=fields)
        for task_id in sorted(old.keys() & new.keys())
        if (fields := _differing(old[task_id], new[task_id]))
    ]
    fields = (
        () if before is None or after is None else _differing(_flat(dag_to_json(before)), _flat(dag_to_json(after)))
    )
    return DagDiff(
        fields=fields,
        tasks_added=tuple(sorted(new.keys() - old.keys())),
        tasks_removed=tuple(sorted(old.keys() - new.keys())),
        tasks_changed=tuple(changed),
    )


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "presentation": None, **document["presentation"]}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    names = (old.keys() | new.keys()) - set(_NOT_COMPARED)
    return tuple(sorted(name for name in names if old.get(name) != new.get(name)))
