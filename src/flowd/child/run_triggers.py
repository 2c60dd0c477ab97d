"""Entry point of a process that runs many triggers in one event loop, and tells the node what each of them fires."""

import asyncio
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flowd.child.channel import Channel, ChannelClosed
from flowd.child.loop_channel import LoopChannel
from flowd.child.task_log import log_to_stdout
from flowd.sdk.supervisor import supervised_by
from flowd.sdk.trigger_class import first_event, make_trigger


def main(channel: Channel, payload: Mapping[str, Any]) -> None:
    """Run the triggers that the node gives, whose classes are in the bundle at `payload["bundle_root"]` (or None).

    The node is asked for them by `triggers`, with the numbers of those that run here; it answers when there is another
    to `start`, or one to `stop`. What one fires is told by `fired`.
    """
    log_to_stdout()
    asyncio.run(_run(channel.descriptor, payload.get("bundle_root")))


async def _run(descriptor: int, root: str | None) -> None:
    shared = LoopChannel(descriptor)
    running: dict[str, asyncio.Task[None]] = {}
    with suppress(ChannelClosed), supervised_by(shared):
        async with asyncio.TaskGroup() as group:
            while True:
                answer = await shared.ask("triggers", have=sorted(running))
                for number in answer["stop"]:
                    running.pop(number).cancel()
                for given in answer["start"]:
                    running[given["number"]] = group.create_task(_watch(shared, given, root))


async def _watch(shared: LoopChannel, given: Mapping[str, Any], root: str | None) -> None:
    try:
        trigger = make_trigger(given["classpath"], given["kwargs"], root=root, file=given["file"])
        news = await first_event(trigger)
    except Exception:
        # A trigger that cannot be made or fails is its task's failure, which is told with the traceback.
        news = {"failure": traceback.format_exc()}
    await shared.ask("fired", number=given["number"], **news)
