"""Label: a word on the edges it stands between, `a >> Label("if true") >> b`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowd.sdk.edges import Linkable, connect, each_linkable

if TYPE_CHECKING:
    from flowd.sdk.task_node import TaskNode


class Label(Linkable):
    """The label of the edges from everything put before it to everything put behind it."""

    def __init__(self, label: str | None = None) -> None:
        self.label = label
        self._upstream: list[Linkable] = []
        self._downstream: list[Linkable] = []

    @property
    def roots(self) -> "Sequence[TaskNode]":
        """The tasks behind the label."""
        return [task for thing in self._downstream for task in thing.roots]

    @property
    def leaves(self) -> "Sequence[TaskNode]":
        """The tasks before the label."""
        return [task for thing in self._upstream for task in thing.leaves]

    def set_downstream(self, task_or_task_list: object, edge_modifier: object = None) -> None:
        """Put things behind the label."""
        for downstream in each_linkable(task_or_task_list):
            self.link_before(downstream)

    def set_upstream(self, task_or_task_list: object, edge_modifier: object = None) -> None:
        """Put things before the label."""
        for upstream in each_linkable(task_or_task_list):
            self.link_after(upstream)

    def link_after(self, upstream: Linkable, label: str | None = None) -> None:
        """Remember what stands before, and link it to what stands behind already."""
        self._upstream.append(upstream)
        connect(upstream.leaves, self.roots, self.label)

    def link_before(self, downstream: Linkable, label: str | None = None) -> None:
        """Remember what stands behind, and link it to what stands before already."""
        self._downstream.append(downstream)
        connect(self.leaves, downstream.roots, self.label)
