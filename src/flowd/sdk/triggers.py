"""BaseTrigger and TriggerEvent: what a deferred task waits for, and what it is told."""

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from flowd.sdk.exceptions import AirflowException
from flowd.sdk.xcom_json import to_json


@dataclass
class TriggerEvent:
    """What a trigger yields: the task goes on with `payload`, which must be a value that an XCom can hold."""

    payload: Any = None


@dataclass
class BaseTaskEndEvent(TriggerEvent):
    """What a trigger yields to end its task in this state, with these XComs, without its method being called."""

    ends_as = ""
    xcoms: Mapping[str, Any] | None = None

    def __init__(self, *, xcoms: Mapping[str, Any] | None = None, **_: Any) -> None:
        super().__init__(self.ends_as)
        self.xcoms = xcoms


class TaskSuccessEvent(BaseTaskEndEvent):
    """The task has succeeded."""

    ends_as = "success"


class TaskFailedEvent(BaseTaskEndEvent):
    """The task has failed."""

    ends_as = "failed"


class TaskSkippedEvent(BaseTaskEndEvent):
    """The task is skipped."""

    ends_as = "skipped"


@dataclass
class StartTriggerArgs:
    """How a task that is deferred before it executes is to wait: for operators with `start_from_trigger`."""

    trigger_cls: str
    next_method: str
    trigger_kwargs: dict[str, Any] | None = None
    next_kwargs: dict[str, Any] | None = None
    timeout: timedelta | None = None


class BaseTrigger:
    """Waits in an event loop that it shares with many others: `run` must not block it.

    It is stored as what `serialize` returns, and made anew in another process as `Class(**kwargs)`: it must hold
    nothing else. It may be run again, and in two processes at once for a moment; its first event is taken.
    """

    needs_to_run: ClassVar[bool] = True
    """False where nothing runs for it: it waits for its moment, `fires_at`, or for somebody who lets the task go on."""

    def __init__(self, **kwargs: Any) -> None:
        self.task_instance: Any = None
        self.trigger_id: int | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class (`module.Class`) and the keyword arguments to make it again."""
        raise AirflowException(f"{type(self).__name__} cannot be stored: define serialize(self) in its class")

    def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield a TriggerEvent when what is waited for has come; an `async def` with a `yield`."""
        raise AirflowException(f"{type(self).__name__} waits for nothing: define `async def run(self)` in its class")

    async def cleanup(self) -> None:
        """Clean up when it no longer runs here; it may run on elsewhere."""

    async def on_kill(self) -> None:
        """End what the trigger has begun elsewhere, where the task was ended by a user; not called by flowd."""

    @property
    def fires_at(self) -> datetime | None:
        """The moment at which it fires by itself, where nothing runs for it."""
        return None

    @property
    def event(self) -> TriggerEvent:
        """What it fires at that moment."""
        return TriggerEvent(self.fires_at)

    @property
    def log(self) -> logging.Logger:
        """The trigger's logger."""
        return logging.getLogger(f"{type(self).__module__}.{type(self).__qualname__}")

    logger = log

    def __repr__(self) -> str:
        classpath, kwargs = self.serialize()
        return f"<{classpath} {', '.join(f'{name}={value!r}' for name, value in kwargs.items())}>"


def event_to_json(event: TriggerEvent) -> dict[str, Any]:
    """Return what the task is to be told, as JSON values; raise TypeError for a payload that no XCom can hold."""
    if isinstance(event, BaseTaskEndEvent):
        return {"ends_as": event.ends_as, "xcoms": {name: to_json(one) for name, one in (event.xcoms or {}).items()}}
    return {"event": to_json(event.payload)}


class BaseEventTrigger(BaseTrigger):
    """A trigger that an AssetWatcher may watch an asset with."""
