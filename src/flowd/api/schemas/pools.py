"""Shapes of pools."""

from typing import Self

from pydantic import Field

from flowd.api.schemas.base import Body, Shape
from flowd.db.views.pools import PoolView
from flowd.domain.states import TaskState

LONGEST_NAME = 250


class PoolResponse(Shape):
    """A pool and what is in it, in slots; `open_slots` of a pool without a limit is -1."""

    name: str
    slots: int
    description: str | None
    include_deferred: bool
    team_name: str | None = None
    occupied_slots: int
    running_slots: int
    queued_slots: int
    scheduled_slots: int
    deferred_slots: int
    open_slots: int

    @classmethod
    def of(cls, pool: PoolView) -> Self:
        """Return the shape of a pool."""
        by_state = pool.slots_by_state
        return cls(
            name=pool.name,
            slots=pool.slots,
            description=pool.description,
            include_deferred=pool.include_deferred,
            occupied_slots=pool.occupied,
            running_slots=by_state[TaskState.RUNNING],
            queued_slots=by_state[TaskState.QUEUED],
            scheduled_slots=by_state[TaskState.SCHEDULED],
            deferred_slots=by_state[TaskState.DEFERRED],
            open_slots=-1 if pool.slots < 0 else max(0, pool.slots - pool.occupied),
        )


class PoolCollectionResponse(Shape):
    """A page of pools."""

    pools: list[PoolResponse]
    total_entries: int


class PoolBody(Body):
    """A new pool."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    slots: int = Field(ge=-1, lt=2**31)
    description: str | None = None
    include_deferred: bool = False
    team_name: None = None


class PoolPatchBody(Body):
    """What of a pool is to change; without an update_mask pool, slots and include_deferred must be given."""

    pool: str | None = None
    slots: int | None = Field(None, ge=-1, lt=2**31)
    description: str | None = None
    include_deferred: bool | None = None
    team_name: None = None
