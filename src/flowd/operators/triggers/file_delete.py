"""Triggers that fire when there is a file, and delete it: they watch assets, where each file is one event."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from flowd.sdk.triggers import BaseEventTrigger, TriggerEvent


class FileDeleteTrigger(BaseEventTrigger):
    """Looks every `poke_interval` seconds for the file at `filepath`, on the node that runs the trigger."""

    def __init__(self, filepath: str, poke_interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__()
        self.filepath, self.poke_interval = filepath, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it looks for."""
        return (
            "airflow.providers.standard.triggers.file.FileDeleteTrigger",
            {"filepath": self.filepath, "poke_interval": self.poke_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire with True when it has deleted the file."""
        await _take(self.filepath, self.poke_interval)
        yield TriggerEvent(True)


class DirectoryFileDeleteTrigger(BaseEventTrigger):
    """Looks every `poke_interval` seconds for the file `filename` in `directory`, which need not be there yet."""

    def __init__(self, *, directory: str, filename: str, poke_interval: float = 5.0) -> None:
        super().__init__()
        self.directory, self.filename, self.poke_interval = directory, filename, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it looks for."""
        return (
            "airflow.providers.standard.triggers.file.DirectoryFileDeleteTrigger",
            {"directory": self.directory, "filename": self.filename, "poke_interval": self.poke_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire with the path of the file when it has deleted it."""
        path = os.path.join(self.directory, self.filename)
        await _take(path, self.poke_interval)
        yield TriggerEvent({"filepath": path})


async def _take(path: str, poke_interval: float) -> None:
    """Return when there was such a file and it has been deleted here: of any number of triggers one takes it."""
    while True:
        # In a thread: a file system may be far away.
        if await asyncio.to_thread(_delete, path):
            return
        await asyncio.sleep(poke_interval)


def _delete(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
