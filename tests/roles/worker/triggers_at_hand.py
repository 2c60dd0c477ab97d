"""Triggers for a process of triggers: one that fires, one that asks, one that fails, one that kills its process."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from flowd.sdk.secret_values import mask_secret
from flowd.sdk.triggers import BaseEventTrigger, BaseTrigger, TriggerEvent
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


class Counting(BaseEventTrigger):
    """Fires the numbers below `most`, and writes into the file `word` that it went on after each; then it fails.

    It begins when there is the file `gate`, if that is given.
    """

    def __init__(self, word: str, most: int, gate: str = "") -> None:
        super().__init__()
        self.word, self.most, self.gate = word, most, gate

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Counting", {"word": self.word, "most": self.most, "gate": self.gate}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if self.gate:
            await appearance(self.gate)
        for number in range(self.most):
            yield TriggerEvent(number)
            append(self.word, f"{number}\n")
        raise RuntimeError("no more")


class Alone(Firing):
    """Fires when it runs, holds the file `word` meanwhile, and fails where another holds it."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        os.close(os.open(self.word, os.O_CREAT | os.O_EXCL))
        try:
            yield TriggerEvent(os.getpid())
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)
            os.unlink(self.word)


class Failing(Firing):
    """Fails."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        raise RuntimeError("no such queue")
        yield TriggerEvent(None)


class Leaking(Firing):
    """Fails with a secret in its message."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        mask_secret("hunter22")
        raise RuntimeError("no such user: hunter22")
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
    """Kills its process until that has happened so often that the file `word` is this long."""

    def __init__(self, word: str, deaths: int = 1) -> None:
        super().__init__(word)
        self.deaths = deaths

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if append(self.word, "x") <= self.deaths:
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


def append(path: str, text: str) -> int:
    """Write at the end of the file, and return how long it is now."""
    with open(path, "a") as file:
        file.write(text)
        return file.tell()


async def appearance(path: str) -> None:
    """Return when there is such a file."""
    while True:
        if await asyncio.to_thread(os.path.exists, path):
            return
        await asyncio.sleep(0.01)
