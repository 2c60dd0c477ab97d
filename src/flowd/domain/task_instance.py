"""TaskInstance: one task of one run, as the ledger holds it."""

from datetime import datetime
from typing import NamedTuple

from flowd.domain.ids import UNMAPPED, ClaimToken, DagId, InstanceKey, RunKey, TaskId
from flowd.domain.states import TaskState


class TaskInstance(NamedTuple):
    """The state of one task in one run; `version` counts its transitions.

    `try_number` is 0 before the first try. A try that waits as a sensor does goes on in another leg: `leg` counts how
    often it has, from 0. `max_tries` is the last try number after which a failure is retried (so
    there are at most `max_tries + 1` tries). `lost` counts the tries whose worker fell silent. `token` is held exactly
    while running. `held_until` is until when a process may still live whose token a user's action has dropped: no new
    try begins before. `not_before` is when a waiting instance goes on (None: when
    something else lets it). `waits_since` is when the first leg began of all that wait for the same thing: a retry goes
    on counting. `skips` are the downstream tasks a finished
    branch decided against. `needs_propagation` is true from the end of the instance until its downstreams have been
    told.

    A named tuple, where other values are dataclasses: one is made at each reading and at each transition, which costs
    a tenth of what it costs to fill so many frozen fields.
    """

    key: InstanceKey
    run: RunKey
    dag_id: DagId
    task_id: TaskId
    map_index: int = UNMAPPED
    state: TaskState = TaskState.NONE
    version: int = 0
    try_number: int = 0
    max_tries: int = 0
    leg: int = 0
    lost: int = 0
    token: ClaimToken | None = None
    worker: str | None = None
    lease_until: datetime | None = None
    is_cancel_requested: bool = False
    held_until: datetime | None = None
    not_before: datetime | None = None
    waits_since: datetime | None = None
    skips: tuple[TaskId, ...] = ()
    needs_propagation: bool = False
    scheduled_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def label(self) -> str:
        """The instance in words, for messages: `dag.task[map_index]`."""
        index = "" if self.map_index == UNMAPPED else f"[{self.map_index}]"
        return f"{self.dag_id}.{self.task_id}{index}"
