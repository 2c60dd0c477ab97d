"""Shapes of the advice on how many workers are wanted."""

from typing import Self

from flowd.api.schemas.base import Shape
from flowd.db.views.worker_demand import QueueDemand


class QueueAdviceResponse(Shape):
    """A queue: its tasks, the `workers` that take work from it now, how many are wanted, and why, in words."""

    queue: str
    queued: int
    running: int
    oldest_queued_seconds: float | None
    workers: int
    free_slots: int
    slots_per_worker: int
    wanted_workers: int
    reason: str

    @classmethod
    def of(cls, found: QueueDemand) -> Self:
        """Return the shape of the demand of a queue."""
        load = found.load
        return cls(
            queue=found.name,
            queued=load.queued,
            running=load.running,
            oldest_queued_seconds=None if load.oldest_queued is None else load.oldest_queued.total_seconds(),
            workers=load.workers,
            free_slots=load.free_slots,
            slots_per_worker=load.slots_per_worker,
            wanted_workers=found.demand.wanted_workers,
            reason=found.demand.reason,
        )


class AdviceResponse(Shape):
    """The advice on every queue that something is known of."""

    queues: list[QueueAdviceResponse]
    total_entries: int
