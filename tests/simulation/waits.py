"""How simulated tasks wait: rescheduled, or deferred until a moment or a trigger, whose process is a model too."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from flowd.db.triggers import News
from flowd.domain.deferral import Deferral, Resume, TriggerSpec, deferral_to_json
from flowd.domain.ids import BundleHash, ClaimToken
from flowd.roles.worker.trigger_process import Fired, TriggerBench

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST_WAIT_SECONDS = 5.0
WAITING = 0.1
"""The share of tasks' processes that end because they wait."""

TRIGGER = TriggerSpec(classpath="simulated.Trigger", kwargs={}, file="dag.py", is_in_bundle=False)


def a_wait(chance: Random, now: float) -> dict[str, Any]:
    """Return the result of a task's process that waits: for how long, and for what, is drawn."""
    until = (EPOCH + timedelta(seconds=now + LONGEST_WAIT_SECONDS * chance.random())).isoformat()
    match chance.choice(["poke", "moment", "trigger", "trigger in time"]):
        case "poke":
            return {"outcome": "reschedule", "until": until}
        case "moment":
            waits = Deferral(otherwise=Resume(method="done", event=until))
            return {"outcome": "deferred", "until": until, "deferral": deferral_to_json(waits)}
        case kind:
            waits = Deferral(otherwise=Resume(method="done", is_timeout=True), trigger=TRIGGER)
            limit = {"until": until} if kind == "trigger in time" else {}
            return {"outcome": "deferred", "deferral": deferral_to_json(waits), **limit}


class SimulatedTriggers:
    """Takes the place of a TriggerProcess: it dies with its node, and fires some events twice."""

    def __init__(self, chance: Random, bundle: BundleHash | None, fired: Fired) -> None:
        assert bundle is None
        self._chance = chance
        self._fired = fired
        self._wanted: dict[ClaimToken, TriggerSpec] = {}

    def want(self, triggers: Mapping[ClaimToken, TriggerSpec]) -> None:
        """Run these and no others."""
        self._wanted = dict(triggers)

    async def run(self) -> None:
        """Fire one after the other until none is left."""
        while self._wanted:
            await asyncio.sleep(LONGEST_WAIT_SECONDS * self._chance.random())
            if not self._wanted:
                return
            token = self._chance.choice(sorted(self._wanted))
            for _ in range(self._chance.choice([1, 1, 2])):
                await self._fired(token, News(event="fired"))
            self._wanted = {other: one for other, one in self._wanted.items() if other != token}


def making(chance: Random) -> Callable[[TriggerBench, BundleHash | None, Fired], SimulatedTriggers]:
    """Return what makes them as a TriggerProcess is made."""
    return lambda _bench, bundle, fired: SimulatedTriggers(chance, bundle, fired)
