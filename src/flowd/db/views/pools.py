"""Pools, and what holds or awaits their slots."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, func, select

from flowd.db.tables import pool, task_instance
from flowd.db.transaction import Transaction
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, count, page
from flowd.db.views.live_states import is_one_of, is_state
from flowd.domain.errors import NotFound
from flowd.domain.states import WAITING, TaskState

POOLS = View(
    columns=(pool.c.name, pool.c.slots, pool.c.description, pool.c.include_deferred),
    source=pool,
    fields={
        "name": Field(pool.c.name, pattern_name="pool_name"),
        "pool": Field(pool.c.name),
        "id": Field(pool.c.name),
        "slots": Field(pool.c.slots, FieldKind.NUMBER),
    },
    key=pool.c.name,
    dag=None,
    order_by=(Order("name"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A pool; `slots_by_state` counts the slots that live instances hold or ask for. Negative `slots` is no limit."""

    name: str
    slots: int
    description: str | None
    include_deferred: bool
    slots_by_state: Counter[TaskState] = field(default_factory=Counter)

    @property
    def occupied(self) -> int:
        """How many slots are taken."""
        deferred = self.slots_by_state[TaskState.DEFERRED] if self.include_deferred else 0
        return self.slots_by_state[TaskState.RUNNING] + self.slots_by_state[TaskState.QUEUED] + deferred


async def list_pools(tx: Transaction, listing: Listing) -> tuple[list[PoolView], int]:
    """Return a page of pools and how many there are."""
    rows = await page(tx, POOLS, listing)
    slots = await _slots(tx, [row["name"] for row in rows])
    pools = [
        PoolView(
            name=row["name"],
            slots=row["slots"],
            description=row["description"],
            include_deferred=bool(row["include_deferred"]),
            slots_by_state=slots.get(row["name"], Counter()),
        )
        for row in rows
    ]
    return pools, await count(tx, POOLS, listing)


async def get_pool(tx: Transaction, name: str) -> PoolView:
    """Return the pool; raise NotFound for an unknown one."""
    found, _ = await list_pools(tx, Listing(conditions=(OneOf("name", (name,)),)))
    if not found:
        raise NotFound(f"The Pool with name: `{name}` was not found")
    return found[0]


async def _slots(tx: Transaction, names: Sequence[str]) -> dict[str, Counter[TaskState]]:
    held = [is_state(task_instance, state) for state in (TaskState.SCHEDULED, TaskState.QUEUED, TaskState.RUNNING)]
    deferred = and_(is_one_of(task_instance, tuple(WAITING)), is_state(task_instance, TaskState.DEFERRED))
    counts: dict[str, Counter[TaskState]] = {}
    # One statement for each state: so that each reads the index that holds the live rows of that state alone.
    for condition in (*held, deferred):
        statement = (
            select(task_instance.c.pool, task_instance.c.state, func.sum(task_instance.c.pool_slots))
            .where(condition, task_instance.c.pool.in_(names))
            .group_by(task_instance.c.pool, task_instance.c.state)
        )
        for name, state, slots in await tx.execute(statement):
            counts.setdefault(name, Counter())[TaskState(state)] = int(slots)
    return counts
