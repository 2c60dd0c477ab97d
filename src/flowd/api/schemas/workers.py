"""Shapes of workers."""

from datetime import datetime
from typing import Self

from pydantic import Field

from flowd.actions.workers import MOST_TASKS
from flowd.api.schemas.base import Body, Shape
from flowd.api.schemas.task_instances import TaskInstanceResponse
from flowd.db.nodes import Node
from flowd.db.views.task_instances import InstanceView
from flowd.db.views.workers import WorkerState, state_of


class WorkerResponse(Shape):
    """A worker; `name` is how task instances and logs call it, `concurrency` what it was last known to hold to."""

    id: str
    name: str
    host: str
    pid: int
    queues: list[str]
    concurrency: int
    wanted_concurrency: int | None
    running: int
    state: WorkerState
    started_at: datetime
    seen_at: datetime | None

    @classmethod
    def of(cls, node: Node, now: datetime) -> Self:
        """Return the shape of a worker as it is at a moment of the metastore's clock."""
        return cls(
            id=node.id,
            name=node.name,
            host=node.host,
            pid=node.pid,
            queues=list(node.queues),
            concurrency=node.concurrency,
            wanted_concurrency=node.wish.concurrency,
            running=node.running,
            state=state_of(node, now),
            started_at=node.started_at,
            seen_at=node.seen_at,
        )


class WorkerCollectionResponse(Shape):
    """A page of workers."""

    workers: list[WorkerResponse]
    total_entries: int


class WorkerDetailResponse(Shape):
    """A worker with the task instances that it runs, 100 at most."""

    worker: WorkerResponse
    task_instances: list[TaskInstanceResponse]

    @classmethod
    def of_both(cls, worker: WorkerResponse, running: list[InstanceView]) -> Self:
        """Return the shape of both."""
        return cls(worker=worker, task_instances=[TaskInstanceResponse.of(one) for one in running])


class WorkerPatchBody(Body):
    """What of a worker is to change."""

    concurrency: int = Field(ge=0, le=MOST_TASKS)
