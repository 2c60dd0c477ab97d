"""In-process wake-ups: every listener hears, once, what arrived since its last turn."""

import asyncio

import pytest

from flowd.queue.base import Wakeups
from flowd.queue.coalesced import Coalesced
from flowd.queue.wakeups import InProcessWakeups


async def test_every_listener_of_a_topic_is_woken_and_no_other() -> None:
    wakeups: Wakeups = InProcessWakeups()
    async with wakeups.listen("a") as first, wakeups.listen("a") as second, wakeups.listen("b") as other:
        await wakeups.notify("a", ["x"])
        await wakeups.notify("b", ["y"])

        assert [await anext(listener) for listener in (first, second, other)] == [{"x"}, {"x"}, {"y"}]


async def test_notes_since_the_last_turn_come_together_and_once() -> None:
    wakeups = InProcessWakeups()
    async with wakeups.listen("a") as notes:
        for payloads in (["x", "y"], [], ["x"], ["z"]):
            await wakeups.notify("a", payloads)
        assert await anext(notes) == {"x", "y", "z"}

        await wakeups.notify("a", ["x"])
        assert await anext(notes) == {"x"}


async def test_notes_from_before_and_after_a_listener_are_not_kept_for_it() -> None:
    wakeups = InProcessWakeups()
    await wakeups.notify("a", ["early"])
    async with wakeups.listen("a"):
        pass
    async with wakeups.listen("a") as notes:
        await wakeups.notify("a", ["now"])

        assert await anext(notes) == {"now"}


async def test_a_cancelled_reader_may_read_on_and_misses_nothing() -> None:
    notes: Coalesced[int] = Coalesced()
    reading = asyncio.ensure_future(anext(notes))
    await asyncio.sleep(0)

    # Cancelled in the very turn in which something came.
    notes.add([1])
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    notes.add([2])

    assert await anext(notes) == {1, 2}


async def test_adding_nothing_wakes_nobody() -> None:
    notes: Coalesced[int] = Coalesced()
    notes.add([])

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(notes)
