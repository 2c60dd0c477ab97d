"""Loop and Bell: how an agent goes round, is woken, and never ends by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest

from flowd.domain.errors import MetastoreUnavailable
from flowd.roles import backoff
from flowd.roles.loop import Bell, Loop

LONG = timedelta(hours=1)
Answer = bool | timedelta | Exception


class Scripted:
    """Steps that answer what they were told to, and say when each has begun; after the last they answer False."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.steps = 0
        self._changed = asyncio.Condition()

    async def step(self) -> bool | timedelta:
        async with self._changed:
            self.steps += 1
            self._changed.notify_all()
        answer = self._answers.pop(0) if self._answers else False
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def have_begun(self, steps: int) -> None:
        async with asyncio.timeout(120), self._changed:
            await self._changed.wait_for(lambda: self.steps >= steps)


async def going_round(script: Scripted, act: Callable[[Loop], Awaitable[None]], interval: timedelta = LONG) -> None:
    loop = Loop("Agent", script.step, interval)
    task = asyncio.ensure_future(loop.run())
    try:
        await act(loop)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(backoff, "MOST_SECONDS", 0.002)


async def test_a_step_that_has_more_to_do_is_followed_by_the_next_at_once() -> None:
    script = Scripted([True, True, True])

    await going_round(script, lambda _: script.have_begun(4))


async def test_a_bell_wakes_the_loop_before_its_interval() -> None:
    script = Scripted([])

    async def act(loop: Loop) -> None:
        await script.have_begun(1)
        loop.bell.ring()
        await script.have_begun(2)

    await going_round(script, act)
    assert script.steps == 2


async def test_a_bell_that_is_rung_during_a_step_is_heard_after_it_and_only_once() -> None:
    rung = asyncio.Event()
    steps = 0
    second = asyncio.Event()

    async def step() -> bool:
        nonlocal steps
        steps += 1
        if steps == 1:
            loop.bell.ring()
            loop.bell.ring()
            rung.set()
        elif steps == 2:
            second.set()
        return False

    loop = Loop("Agent", step, LONG)
    task = asyncio.ensure_future(loop.run())
    async with asyncio.timeout(120):
        await second.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()

    assert steps == 2


async def test_without_a_bell_the_interval_brings_the_next_step() -> None:
    script = Scripted([])

    await going_round(script, lambda _: script.have_begun(3), interval=timedelta(milliseconds=1))


async def test_a_step_may_ask_to_be_called_earlier_and_never_later() -> None:
    early, late = Scripted([timedelta(0), timedelta(seconds=-5)]), Scripted([LONG, LONG])

    await going_round(early, lambda _: early.have_begun(3))
    await going_round(late, lambda _: late.have_begun(3), interval=timedelta(milliseconds=1))


async def test_a_step_that_fails_is_tried_again_whatever_it_raised() -> None:
    script = Scripted([MetastoreUnavailable("away"), ValueError("a bug"), MetastoreUnavailable("away")])

    await going_round(script, lambda _: script.have_begun(4))


async def test_a_cancelled_loop_ends() -> None:
    loop = Loop("Agent", Scripted([]).step, LONG)
    task = asyncio.ensure_future(loop.run())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_bell_can_be_waited_for_without_an_end_or_not_at_all() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()

    async with asyncio.timeout(120):
        await bell.wait(None)
        await bell.wait(0)
    bell.ring()
    await bell.wait(None)
