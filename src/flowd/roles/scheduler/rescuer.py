"""Rescuer: gives up the leases of workers that have fallen silent."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import structlog

from flowd.clock import Clock
from flowd.db.graphs import Graphs
from flowd.db.ledger import advance, lease, read, write
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.errors import Unavailable
from flowd.domain.graph import Graph
from flowd.domain.ids import RunKey
from flowd.domain.lease import ExpiredLease, LeaseWatch
from flowd.domain.task_events import Lost
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_spec import OnLost
from flowd.roles.bulkhead import one_by_one_in_trouble
from flowd.roles.loop import Loop

log = structlog.get_logger(__name__)

_MOST = 500


class Rescuer:
    """Watches expired leases for as long as `LeaseWatch` asks, then lets Lost happen to their instances."""

    def __init__(
        self,
        metastore: Metastore,
        graphs: Graphs,
        clock: Clock,
        watch: LeaseWatch,
        interval: timedelta,
        *,
        news: Callable[[Iterable[RunKey]], None],
    ) -> None:
        self.loop = Loop("Rescuer", self.step, interval)
        self._metastore = metastore
        self._graphs = graphs
        self._clock = clock
        self._watch = watch
        self._news = news

    async def step(self) -> bool:
        """Look at the expired leases and take those that nothing speaks for any more."""
        try:
            async with self._metastore.glance() as tx:
                expired = await lease.expired(tx, limit=_MOST)
        except Unavailable:
            self._watch.unreachable()
            raise
        silent = self._watch.observe(expired, self._clock.monotonic())
        if silent:
            await one_by_one_in_trouble("Rescuer", silent, self._give_up, names=lambda one: {"instance": one.key})
        return False

    async def _give_up(self, silent: Sequence[ExpiredLease]) -> None:
        async with self._metastore.transaction(is_brief=True) as tx:
            lost = await self._lose(tx, silent)
        for instance in lost:
            log.warning("lease expired", task=instance.label, worker=instance.worker, state=instance.state.value)
        self._news({instance.run for instance in lost})

    async def _lose(self, tx: Transaction, silent: Sequence[ExpiredLease]) -> list[TaskInstance]:
        held = await read.instances(tx, [one.key for one in silent])
        versions = await advance.versions_of_runs(tx, {instance.run for instance in held.values()})
        graphs = await self._graphs.get(tx, set(versions.values()))
        now = await tx.now()
        changes = []
        for one in silent:
            instance = held.get(one.key)
            # The lease may have been prolonged since it was seen: only one that is still expired is taken.
            if instance is None or instance.lease_until is None or instance.lease_until >= now:
                continue
            changes.append((instance, _lost(one, instance, graphs[versions[instance.run]])))
        answers = await write.apply(tx, changes, now)
        return [answer for answer in answers if isinstance(answer, TaskInstance)]


def _lost(lease: ExpiredLease, instance: TaskInstance, graph: Graph) -> Lost:
    task = graph.tasks.get(instance.task_id)
    if task is None:
        # Its run was moved to a version without it: the advancer will remove it.
        return Lost(lease.token, OnLost.RETRY)
    return Lost(lease.token, task.on_lost)
