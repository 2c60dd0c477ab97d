"""Admission: which scheduled instances get a slot now, and for every other one the reason why not.

A slot goes to the DAG that holds the fewest in that pool; among those that hold equally many, to the higher priority,
then to the one that has waited longest. So a huge DAG cannot starve a small one, and within a DAG priority decides.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from heapq import heapify, heappop, heappush
from typing import assert_never

from flowd.domain.ids import DagId, InstanceKey, RunKey, TaskId


class Limit(StrEnum):
    """What can stand in the way of a scheduled instance."""

    QUEUE_PAUSED = "queue_paused"
    NO_SUCH_POOL = "no_such_pool"
    POOL_TOO_SMALL = "pool_too_small"
    POOL_FULL = "pool_full"
    MAX_ACTIVE_TASKS = "max_active_tasks"
    MAX_ACTIVE_TIS_PER_DAG = "max_active_tis_per_dag"
    MAX_ACTIVE_TIS_PER_DAGRUN = "max_active_tis_per_dagrun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A scheduled instance and the limits it runs under; None is no limit."""

    key: InstanceKey
    run: RunKey
    dag_id: DagId
    task_id: TaskId
    queue: str
    pool: str
    pool_slots: int
    priority: int
    scheduled_at: datetime
    max_active_tasks: int
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a candidate got no slot: the limit, how much of it is used, and how much there is."""

    limit: Limit
    name: str
    used: int
    size: int

    def __str__(self) -> str:
        match self.limit:
            case Limit.QUEUE_PAUSED:
                return f"queue {self.name!r} is paused; nothing is queued in it until it is resumed"
            case Limit.NO_SUCH_POOL:
                return f"pool {self.name!r} does not exist; create it with: flowd pools set {self.name} SLOTS"
            case Limit.POOL_TOO_SMALL:
                return f"it asks for {self.used} slots of pool {self.name!r}, which has {self.size} in all"
            case Limit.POOL_FULL:
                return f"pool {self.name!r} is full: {self.used} of {self.size} slots are taken"
            case Limit.MAX_ACTIVE_TASKS:
                return f"its run has {self.used} tasks queued or running, and max_active_tasks is {self.size}"
            case Limit.MAX_ACTIVE_TIS_PER_DAG:
                return (
                    f"{self.used} instances of {self.name} are queued or running; max_active_tis_per_dag is {self.size}"
                )
            case Limit.MAX_ACTIVE_TIS_PER_DAGRUN:
                return (
                    f"{self.used} instances of {self.name} in this run are queued or running; "
                    f"max_active_tis_per_dagrun is {self.size}"
                )
            case _:
                assert_never(self.limit)


@dataclass(slots=True, kw_only=True)
class Occupancy:
    """What instances hold, queued and running ones, and deferred ones in some pools.

    `pool_sizes` maps each pool to its slots; a negative size is no limit. Nothing is admitted to `paused_queues`.
    """

    pool_sizes: Mapping[str, int]
    paused_queues: Collection[str] = ()
    slots_by_pool: Counter[str] = field(default_factory=Counter)
    slots_by_pool_and_dag: Counter[tuple[str, DagId]] = field(default_factory=Counter)
    tasks_by_run: Counter[RunKey] = field(default_factory=Counter)
    tasks_by_dag_task: Counter[tuple[DagId, TaskId]] = field(default_factory=Counter)
    tasks_by_run_task: Counter[tuple[RunKey, TaskId]] = field(default_factory=Counter)

    def add(self, taken: Candidate, tasks: int = 1) -> None:
        """Count `tasks` instances like `taken` as holding their slots."""
        slots = taken.pool_slots * tasks
        self.slots_by_pool[taken.pool] += slots
        self.slots_by_pool_and_dag[taken.pool, taken.dag_id] += slots
        self.tasks_by_run[taken.run] += tasks
        self.tasks_by_dag_task[taken.dag_id, taken.task_id] += tasks
        self.tasks_by_run_task[taken.run, taken.task_id] += tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """The candidates admitted, in the order they go, and why each other one waits."""

    admitted: Sequence[Candidate]
    refused: Mapping[InstanceKey, Refusal]


def admit(candidates: Sequence[Candidate], occupancy: Occupancy) -> Verdicts:
    """Give out the free slots; `occupancy` is updated with what was admitted.

    No limit is ever passed, and no candidate is refused that still fits when the last one has been judged.
    """
    admitted: list[Candidate] = []
    refused: dict[InstanceKey, Refusal] = {}
    preferred = sorted(candidates, key=lambda one: (-one.priority, one.scheduled_at, one.key))
    waiting: dict[tuple[str, DagId], deque[tuple[int, Candidate]]] = defaultdict(deque)
    for place, candidate in enumerate(preferred):
        waiting[candidate.pool, candidate.dag_id].append((place, candidate))
    turns = [(occupancy.slots_by_pool_and_dag[claim], line[0][0], claim) for claim, line in waiting.items()]
    heapify(turns)
    while turns:
        _, _, claim = heappop(turns)
        _, candidate = waiting[claim].popleft()
        refusal = why_not(candidate, occupancy)
        if refusal is None:
            occupancy.add(candidate)
            admitted.append(candidate)
        else:
            refused[candidate.key] = refusal
        # Only now is it known what the DAG holds: a refused candidate must not cost the next one its turn.
        if line := waiting[claim]:
            heappush(turns, (occupancy.slots_by_pool_and_dag[claim], line[0][0], claim))
    return Verdicts(admitted=admitted, refused=refused)


def why_not(candidate: Candidate, occupancy: Occupancy) -> Refusal | None:
    """Return the first limit that stands in the candidate's way, None where it may run now."""
    if candidate.queue in occupancy.paused_queues:
        return Refusal(limit=Limit.QUEUE_PAUSED, name=candidate.queue, used=0, size=0)
    size = occupancy.pool_sizes.get(candidate.pool)
    if size is None:
        return Refusal(limit=Limit.NO_SUCH_POOL, name=candidate.pool, used=0, size=0)
    used = occupancy.slots_by_pool[candidate.pool]
    if 0 <= size < candidate.pool_slots:
        return Refusal(limit=Limit.POOL_TOO_SMALL, name=candidate.pool, used=candidate.pool_slots, size=size)
    if 0 <= size < used + candidate.pool_slots:
        return Refusal(limit=Limit.POOL_FULL, name=candidate.pool, used=used, size=size)
    task = f"{candidate.dag_id}.{candidate.task_id}"
    counted: tuple[tuple[Limit, str, int, int | None], ...] = (
        (
            Limit.MAX_ACTIVE_TASKS,
            candidate.dag_id,
            occupancy.tasks_by_run[candidate.run],
            candidate.max_active_tasks if candidate.max_active_tasks > 0 else None,
        ),
        (
            Limit.MAX_ACTIVE_TIS_PER_DAG,
            task,
            occupancy.tasks_by_dag_task[candidate.dag_id, candidate.task_id],
            candidate.max_active_tis_per_dag,
        ),
        (
            Limit.MAX_ACTIVE_TIS_PER_DAGRUN,
            task,
            occupancy.tasks_by_run_task[candidate.run, candidate.task_id],
            candidate.max_active_tis_per_dagrun,
        ),
    )
    for limit, name, taken, most in counted:
        if most is not None and taken >= most:
            return Refusal(limit=limit, name=name, used=taken, size=most)
    return None
