"""TaskInstanceKey: which try of which task of which run."""

from typing import NamedTuple

from flowd.domain.ids import UNMAPPED


class TaskInstanceKey(NamedTuple):
    """The five parts that name a try."""

    dag_id: str
    task_id: str
    run_id: str
    try_number: int = 1
    map_index: int = UNMAPPED

    @property
    def primary(self) -> tuple[str, str, str, int]:
        """The parts that name the task instance, whatever its try."""
        return self.dag_id, self.task_id, self.run_id, self.map_index

    @property
    def key(self) -> "TaskInstanceKey":
        """Itself, for those that have a task instance or its key."""
        return self
