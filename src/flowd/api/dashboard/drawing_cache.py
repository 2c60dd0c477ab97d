"""DrawingCache: drawings of DAGs by the version of their DAG, which never changes, and by what of it is shown."""

from collections import OrderedDict
from collections.abc import Collection

from flowd.api.dashboard.graph_layout import TaskDrawing, drawing_of
from flowd.domain.graph import Graph
from flowd.domain.ids import TaskId
from flowd.domain.task_tree import task_tree

MOST_DRAWINGS = 128

_Key = tuple[int, frozenset[str], frozenset[TaskId] | None]


class DrawingCache:
    """The drawings asked for last."""

    def __init__(self) -> None:
        self._drawings: OrderedDict[_Key, TaskDrawing] = OrderedDict()

    def get(
        self, version: int, graph: Graph, open_groups: Collection[str], only: Collection[TaskId] | None
    ) -> TaskDrawing:
        """Return the drawing of this version of a DAG."""
        key = (version, frozenset(open_groups), None if only is None else frozenset(only))
        found = self._drawings.get(key)
        if found is None:
            found = drawing_of(graph, task_tree(graph), open_groups, only=only)
            if len(self._drawings) >= MOST_DRAWINGS:
                self._drawings.popitem(last=False)
        self._drawings[key] = found
        self._drawings.move_to_end(key)
        return found
