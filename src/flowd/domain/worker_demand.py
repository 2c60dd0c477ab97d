"""Demand: how many workers a queue is worth, from what is in it and what its workers have free."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLoad:
    """What is in a queue, and who is there for it now.

    `queued` and `running` count task instances; `oldest_queued` is how long the first of them waits, None where none
    does. `workers` take work from the queue, and `free_slots` counts places on them where a task could start.
    `slots_per_worker` is how many tasks one runs at a time, at least 1.
    """

    queued: int = 0
    running: int = 0
    oldest_queued: timedelta | None = None
    workers: int = 0
    free_slots: int = 0
    slots_per_worker: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How many workers are wanted, and why, in words."""

    wanted_workers: int
    reason: str


def demand_of(load: QueueLoad, patience: timedelta) -> Demand:
    """Return as many workers as run all that is in the queue at once.

    Its workers may be held up by what they run from other queues. So where something has waited longer than
    `patience` and no slot is free, what waits is wanted room for beside the workers that are there.
    """
    tasks = load.queued + load.running
    by_tasks = math.ceil(tasks / load.slots_per_worker)
    if load.oldest_queued is not None and load.oldest_queued > patience and not load.free_slots:
        beside = load.workers + math.ceil(load.queued / load.slots_per_worker)
        if beside > by_tasks:
            waited = f"{load.oldest_queued.total_seconds():.0f} s"
            return Demand(
                wanted_workers=beside,
                reason=f"a task has waited {waited}, and no slot is free: other queues hold these workers",
            )
    if not tasks:
        return Demand(wanted_workers=0, reason="nothing is queued or running")
    counted = "1 task" if tasks == 1 else f"{tasks} tasks"
    return Demand(wanted_workers=by_tasks, reason=f"{counted}, {load.slots_per_worker} at a time on each worker")


def with_triggers(demands: Mapping[str, Demand], queue: str) -> Mapping[str, Demand]:
    """Return the demands of all queues where triggers of deferred tasks wait: any worker runs them.

    Where no queue wants one, `queue` does.
    """
    if any(one.wanted_workers for one in demands.values()):
        return demands
    return {**demands, queue: Demand(wanted_workers=1, reason="triggers of deferred tasks or of assets wait")}
