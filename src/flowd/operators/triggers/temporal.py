"""Triggers of a moment. Nothing runs for them: the scheduler lets the task go on when the moment has come."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from flowd.sdk.triggers import BaseTrigger, TaskSuccessEvent, TriggerEvent


class DateTimeTrigger(BaseTrigger):
    """Fires at `moment`, with it as the payload; with `end_from_trigger` the task has then succeeded."""

    needs_to_run = False

    def __init__(self, moment: datetime, *, end_from_trigger: bool = False) -> None:
        super().__init__()
        if not isinstance(moment, datetime):
            raise TypeError(f"moment is {moment!r}, wanted a datetime")
        if moment.tzinfo is None:
            raise ValueError(f"moment is {moment}, which has no time zone")
        self.moment = moment.astimezone(UTC)
        self.end_from_trigger = end_from_trigger

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the moment."""
        return (
            "airflow.providers.standard.triggers.temporal.DateTimeTrigger",
            {"moment": self.moment, "end_from_trigger": self.end_from_trigger},
        )

    @property
    def fires_at(self) -> datetime:
        """The moment."""
        return self.moment

    @property
    def event(self) -> TriggerEvent:
        """What it fires."""
        return TaskSuccessEvent() if self.end_from_trigger else TriggerEvent(self.moment)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep until the moment, where nobody else waits for it."""
        await asyncio.sleep(max(0.0, (self.moment - datetime.now(UTC)).total_seconds()))
        yield self.event


class TimeDeltaTrigger(DateTimeTrigger):
    """Fires `delta` from now; it is stored as the moment that this is."""

    def __init__(self, delta: timedelta, *, end_from_trigger: bool = False) -> None:
        super().__init__(datetime.now(UTC) + delta, end_from_trigger=end_from_trigger)
