"""FileTrigger: fires when there is a file."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from flowd.operators.sensors.file_search import is_there
from flowd.sdk.triggers import BaseTrigger, TaskSuccessEvent, TriggerEvent


class FileTrigger(BaseTrigger):
    """Looks every `poke_interval` seconds for `filepath`, a glob pattern, on the node that runs the trigger."""

    def __init__(
        self, filepath: str, recursive: bool = False, poke_interval: float = 5.0, end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.filepath, self.recursive, self.poke_interval = filepath, recursive, poke_interval
        self.end_from_trigger = end_from_trigger

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it looks for."""
        return (
            "airflow.providers.standard.triggers.file.FileTrigger",
            {
                "filepath": self.filepath,
                "recursive": self.recursive,
                "poke_interval": self.poke_interval,
                "end_from_trigger": self.end_from_trigger,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire with True when it is there."""
        while True:
            # In a thread: a file system may be far away.
            if await asyncio.to_thread(is_there, self.filepath, recursive=self.recursive):
                yield TaskSuccessEvent() if self.end_from_trigger else TriggerEvent(True)
                return
            await asyncio.sleep(self.poke_interval)
