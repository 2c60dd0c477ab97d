"""Finding the class of a stored trigger again, and running it."""

import asyncio
import importlib
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from flowd.sdk.dag_file import load, prepare
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.triggers import BaseTrigger, event_to_json
from flowd.sdk.xcom_json import from_json


def make_trigger(classpath: str, kwargs: Mapping[str, Any], *, root: str | None, file: str) -> BaseTrigger:
    """Return the trigger anew; `root` is the DAG folder it comes from, if any, and `file` the DAG file that made it.

    Raises AirflowException where there is no such class, and whatever its module or its constructor raises.
    """
    kind = _find(classpath, root, file)
    trigger = kind(**{name: from_json(value) for name, value in kwargs.items()})
    if not hasattr(trigger, "run"):
        raise AirflowException(f"{classpath} is no trigger: it has no run()")
    made: BaseTrigger = trigger
    return made


async def first_event(trigger: BaseTrigger) -> dict[str, Any]:
    """Run the trigger and return what the task is to be told: `event` or `ends_as` with `xcoms`, as JSON values."""
    async with aclosing(events_of(trigger)) as events:
        async for event in events:
            return event
    raise AirflowException(f"{type(trigger).__name__} ended without an event")


async def events_of(trigger: BaseTrigger) -> AsyncGenerator[dict[str, Any]]:
    """Run the trigger and yield all its events, in the form of `first_event`; it is cleaned up whatever ends this."""
    events = trigger.run()
    try:
        async for event in events:
            yield event_to_json(event)
    finally:
        await asyncio.shield(_clean(trigger, events))


async def _clean(trigger: BaseTrigger, events: Any) -> None:
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
    await trigger.cleanup()


def _find(classpath: str, root: str | None, file: str) -> Any:
    prepare(root)
    module_name, _, name = classpath.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError:
        # It may be defined in the DAG file itself, which is no module of its own name.
        if root is None:
            raise
        load(root, file)
        module = sys.modules.get(module_name) or importlib.import_module(module_name)
    kind = getattr(module, name, None)
    if kind is None:
        raise AirflowException(f"there is no trigger {classpath}: {module_name} has no {name}")
    return kind
