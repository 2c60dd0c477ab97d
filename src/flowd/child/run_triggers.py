"""Entry point of a process that runs many triggers in one event loop, and tells the node what each of them fires."""

import asyncio
import traceback
import uuid
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any

from flowd.child.channel import Channel, ChannelClosed
from flowd.child.loop_channel import LoopChannel
from flowd.child.supervision import kept
from flowd.child.task_log import log_to_stdout
from flowd.sdk.secret_values import masked
from flowd.sdk.trigger_class import events_of, first_event, make_trigger
from flowd.sdk.triggers import BaseTrigger

STOP_SECONDS = 5.0
"""How long a trigger that is to stop may clean up before the next ones start."""

AGAIN_SECONDS = 1.0
"""After this a watcher whose trigger has ended runs it anew."""

MOST_SECONDS = 60.0
"""And where it fails time after time, after twice as long each time, up to this."""


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Run the triggers that the node gives, whose classes are in the bundle at `payload["bundle_root"]` (or None).

    The node is asked for them by `triggers`, with the numbers of those that run here; it answers when there is another
    to `start`, or one to `stop`. What one fires is told by `fired`: its first event, or, where it `watches`, each event
    before it goes on to the next.
    """
    log_to_stdout()
    asyncio.run(_run(channel.descriptor, payload.get("bundle_root")))


async def _run(descriptor: int, root: str | None) -> None:
    shared = LoopChannel(descriptor)
    running: dict[str, asyncio.Task[None]] = {}
    with suppress(ChannelClosed), kept(shared):
        async with asyncio.TaskGroup() as group:
            while True:
                answer = await shared.ask("triggers", have=sorted(running))
                await _stop([running.pop(number) for number in answer["stop"]])
                for given in answer["start"]:
                    run = _watch if given["watches"] else _wait
                    running[given["number"]] = group.create_task(run(shared, given, root))


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    """Stop them, and wait a moment: what is told as stopped may be started elsewhere at once."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_SECONDS)


async def _wait(shared: LoopChannel, given: Mapping[str, Any], root: str | None) -> None:
    """Run the trigger of a deferred task to its first event."""
    try:
        news = await first_event(_make(given, root))
    except Exception:
        # A trigger that cannot be made or fails is its task's failure, which is told with the traceback.
        news = {"failure": masked(traceback.format_exc())}
    await shared.ask("fired", number=given["number"], **news)


async def _watch(shared: LoopChannel, given: Mapping[str, Any], root: str | None) -> None:
    """Run the trigger of a watcher for ever. An event is told before the trigger goes on behind its `yield`."""
    pause = AGAIN_SECONDS
    while True:
        try:
            async with aclosing(events_of(_make(given, root))) as events:
                async for event in events:
                    told = {"event_id": uuid.uuid4().hex, "event": event.get("event")}
                    await shared.ask("fired", number=given["number"], **told)
                    pause = AGAIN_SECONDS
        except ChannelClosed:
            raise
        except Exception:
            pause = min(2 * pause, MOST_SECONDS)
            await shared.ask("fired", number=given["number"], failure=masked(traceback.format_exc()))
        await asyncio.sleep(pause)


def _make(given: Mapping[str, Any], root: str | None) -> BaseTrigger:
    return make_trigger(given["classpath"], given["kwargs"], root=root, file=given["file"])
