"""TriggerProcesses: the processes of one worker that run triggers, one for each bundle."""

import asyncio
from collections.abc import Callable, Iterable

from flowd.db.triggers import HeldTrigger
from flowd.domain.deferral import TriggerSpec
from flowd.domain.ids import BundleHash, ClaimToken
from flowd.roles.loop import Bell
from flowd.roles.worker.trigger_process import Fired, TriggerProcess

MakeProcess = Callable[[BundleHash | None, Fired], TriggerProcess]
"""Makes the process for a bundle; None is for triggers that come with flowd or from a library."""


class TriggerProcesses:
    """Feeds each trigger to the process of its bundle; processes are made when they are needed, and end by themselves.

    A trigger whose bundle is another one now is stopped in its old process before it starts in the new: it starts with
    the next `want` after that. `ended` is rung when a process has ended.
    """

    def __init__(self, make: MakeProcess, fired: Fired, group: asyncio.TaskGroup, *, ended: Bell) -> None:
        self._make = make
        self._fired = fired
        self._group = group
        self._ended = ended
        self._processes: dict[BundleHash | None, TriggerProcess] = {}

    def want(self, held: Iterable[HeldTrigger]) -> None:
        """Run these triggers and no others."""
        wanted: dict[BundleHash | None, dict[ClaimToken, TriggerSpec]] = {}
        for one in held:
            if not self._runs_elsewhere(one):
                wanted.setdefault(one.bundle, {})[one.token] = one.trigger
        for bundle in wanted.keys() - self._processes.keys():
            process = self._make(bundle, self._fired)
            self._processes[bundle] = process
            self._group.create_task(self._watch(bundle, process), name=f"TriggerProcess {bundle or ''}")
        for bundle, process in self._processes.items():
            process.want(wanted.get(bundle, {}))

    def _runs_elsewhere(self, held: HeldTrigger) -> bool:
        return any(bundle != held.bundle and process.has(held.token) for bundle, process in self._processes.items())

    async def _watch(self, bundle: BundleHash | None, process: TriggerProcess) -> None:
        try:
            await process.run()
        finally:
            # Its bundle has no triggers any more; the next one gets a process of its own.
            self._processes.pop(bundle, None)
        self._ended.ring()
