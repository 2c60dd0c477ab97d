"""Which instances of a task there were at a moment, and to how many items a mapped one had to expand by then."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from tests.support.checker.evidence import Change, Evidence, Instance, Run, TaskKey, Word
from tests.support.checker.state_graph import ENDED

NO_VALUE = frozenset(
    {"decided", "skipped itself", "failed", "lost", "cancelled", "interrupted", "completed without work"}
)
"""Causes of an end that leaves nothing to be mapped over."""


def last_change(instance: Instance, at_us: int) -> Change | None:
    """Return the last change of the instance up to a moment."""
    return next((change for change in reversed(instance.history) if change.at_us <= at_us), None)


class MappedInstances:
    """Knows the instances of all runs by task, and what the tasks themselves said that they return."""

    def __init__(self, evidence: Evidence) -> None:
        self._items = {line.token: line.items for line in evidence.journal or () if line.word is Word.END}
        self._runs: dict[tuple[str, str], Run] = {(run.dag_id, run.run_id): run for run in evidence.runs}
        self._of_task: dict[TaskKey, list[Instance]] = defaultdict(list)
        self._began: dict[tuple[str, str, str, int], int] = {}
        for instance in evidence.instances:
            key = instance.task
            self._of_task[TaskKey(key.dag_id, key.run_id, key.task_id)].append(instance)
            if instance.history and key.map_index > 0:
                place = (key.dag_id, key.run_id, self._group_of(key) or key.task_id, key.map_index)
                first = instance.history[0].at_us
                self._began[place] = min(first, self._began.get(place, first))

    def of_task(self, key: TaskKey, task_id: str) -> list[Instance]:
        """Return every instance that a task has in the run of `key`."""
        return self._of_task[TaskKey(key.dag_id, key.run_id, task_id)]

    def upstreams(self, key: TaskKey, task_id: str, at_us: int) -> Sequence[Instance | None]:
        """Return the instances of an upstream that count for `key` and existed at a moment; None where none did.

        In one mapped group it is that of the same map index. A mapped task has one instance until it expands; what
        it makes then begins at once, or in a mapped group another task's instance of the same map index does.
        """
        there = [one for one in self.of_task(key, task_id) if self._exists(one, at_us)]
        group = self._group_of(key)
        if group is not None and group == self._group_of(TaskKey(key.dag_id, key.run_id, task_id)):
            own = [one for one in there if one.task.map_index == key.map_index]
            there = own or [one for one in there if one.task.map_index <= 0]
        return there or [None]

    def length(self, key: TaskKey, at_us: int) -> int | None:
        """Return to how many instances the mapped task of `key` had to expand at a moment; None where nobody told."""
        task = self._runs[key.dag_id, key.run_id].dag.tasks[key.task_id]
        return None if task.length is None else self._evaluated(key, task.length, at_us)

    def _evaluated(self, key: TaskKey, length: Mapping[str, Any], at_us: int) -> int | None:
        match length:
            case {"items": int(items)}:
                return items
            case {"result_of": str(task_id)}:
                return self._returned(key, task_id, at_us)
            case {"crossed": parts}:
                return _all(prod, [self._evaluated(key, part, at_us) for part in parts])
            case {"chained": parts}:
                return _all(sum, [self._evaluated(key, part, at_us) for part in parts])
            case {"zipped": parts, "is_longest": is_longest}:
                return _all(max if is_longest else min, [self._evaluated(key, part, at_us) for part in parts])
            case other:
                raise ValueError(f"the length {other} is none that a mapped task can have")

    def _returned(self, key: TaskKey, task_id: str, at_us: int) -> int | None:
        is_mapped = self._runs[key.dag_id, key.run_id].dag.tasks[task_id].length is not None
        values: list[int] = []
        for instance in self.of_task(key, task_id):
            if not self._exists(instance, at_us):
                continue
            last = last_change(instance, at_us)
            if last is None or last.target not in ENDED:
                return None
            if is_mapped and last.cause in NO_VALUE:
                continue
            items = self._items.get(last.token or "") if last.cause == "succeeded" else None
            if items is None:
                return None
            values.append(items)
        return len(values) if is_mapped else values[0] if values else None

    def _exists(self, instance: Instance, at_us: int) -> bool:
        key = instance.task
        if key.map_index <= 0:
            return True
        began = self._began.get((key.dag_id, key.run_id, self._group_of(key) or key.task_id, key.map_index))
        return began is not None and began <= at_us

    def _group_of(self, key: TaskKey) -> str | None:
        run = self._runs.get((key.dag_id, key.run_id))
        task = run.dag.tasks.get(key.task_id) if run else None
        return task.mapped_group if task else None


def _all(combine: Any, parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return int(combine(known)) if len(known) == len(parts) else None
