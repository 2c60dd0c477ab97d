"""HITLTrigger: what a task waits for that has asked a person. Nothing runs for it: the answer itself lets it go on."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flowd.sdk.triggers import BaseTrigger, TriggerEvent


class HITLTrigger(BaseTrigger):
    """Waits for an answer, until `timeout_datetime`; then `defaults` are the answer, or there is an error."""

    needs_to_run = False

    def __init__(
        self, *, defaults: Sequence[str] | None = None, timeout_datetime: datetime | None = None, **kwargs: Any
    ) -> None:
        super().__init__()
        self.defaults, self.timeout_datetime = defaults, timeout_datetime

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return when the wait is over."""
        return (
            "airflow.providers.standard.triggers.hitl.HITLTrigger",
            {"defaults": self.defaults, "timeout_datetime": self.timeout_datetime},
        )

    @property
    def fires_at(self) -> datetime | None:
        """When the time is over."""
        return None if self.timeout_datetime is None else self.timeout_datetime.astimezone(UTC)

    @property
    def event(self) -> TriggerEvent:
        """What the task is told then, in the form of an answer: JSON text."""
        if self.defaults is None:
            return TriggerEvent(json.dumps({"error": "nobody has answered in time", "error_type": "timeout"}))
        return TriggerEvent(
            json.dumps(
                {
                    "chosen_options": list(self.defaults),
                    "params_input": None,
                    "responded_at": self.fires_at.isoformat() if self.fires_at else None,
                    "responded_by_user": None,
                    "timedout": True,
                }
            )
        )
