"""Triggers for a process of triggers: one that fires, one that asks, one that fails, one that kills its process."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from flowd.sdk.triggers import BaseTrigger, TriggerEvent
from flowd.sdk.variable import Variable


class Firing(BaseTrigger):
    """Fires `word`, or the variable of this name."""

    def __init__(self, word: str, is_asking: bool = False) -> None:
        super().__init__()
        self.word, self.is_asking = word, is_asking

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Firing", {"word": self.word, "is_asking": self.is_asking}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(0)
        yield TriggerEvent(Variable.get(self.word, default_var="unset") if self.is_asking else self.word)


class Failing(Firing):
    """Fails."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        raise RuntimeError("no such queue")
        yield TriggerEvent(None)


class Waiting(Firing):
    """Never fires, and leaves a file named `word` while it runs."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        touch(self.word)
        try:
            await asyncio.Event().wait()
        finally:
            os.unlink(self.word)
        yield TriggerEvent(None)


class Dying(Firing):
    """Kills its process until there is a file named `word`."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if not has(self.word):
            touch(self.word)
            os._exit(3)
        yield TriggerEvent("at last")


class Deadly(Firing):
    """Kills its process."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        os._exit(3)
        yield TriggerEvent(None)


def touch(path: str) -> None:
    with open(path, "w"):
        pass


def has(path: str) -> bool:
    return os.path.exists(path)
