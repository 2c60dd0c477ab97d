"""Task groups: which tasks are in each, as the presentation of a DAG tells them."""

from collections.abc import Mapping
from typing import Any

from flowd.domain.ids import TaskId


def tasks_by_group(presentation: Mapping[str, Any]) -> dict[str, list[TaskId]]:
    """Return the tasks of each group by its id, those of the groups in it included."""
    found: dict[str, list[TaskId]] = {}
    _collect(presentation.get("groups") or {}, found)
    return found


def _collect(group: Mapping[str, Any], found: dict[str, list[TaskId]]) -> list[TaskId]:
    """Note the tasks of this group and of those in it, and return them."""
    tasks: list[TaskId] = []
    for child in group.get("children", ()):
        tasks += [TaskId(child)] if isinstance(child, str) else _collect(child, found)
    if group.get("id"):
        found[group["id"]] = tasks
    return tasks
