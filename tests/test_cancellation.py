"""A cancellation that a library keeps quiet still ends whoever goes round until cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from flowd.cancellation import Cancellation
from flowd.domain.errors import Unavailable
from flowd.roles.backoff import patiently
from flowd.roles.group_commit import GroupCommit
from flowd.roles.loop import Loop

HOUR = timedelta(hours=1)


class Deaf:
    """Something to await that drops a cancellation, as wait_for of Python 3.11 does where the answer comes with it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.is_awaited = asyncio.Event()
        self._error = error

    async def __call__(self) -> bool:
        try:
            self.is_awaited.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self._error is not None:
                raise self._error from None
        return False


async def going_round(deaf: Deaf) -> None:
    await Loop("Deaf", deaf, HOUR).run()


async def waiting_patiently(deaf: Deaf) -> None:
    await patiently("Deaf", deaf)


async def committing(deaf: Deaf) -> None:
    async def flush(items: Any) -> list[bool]:
        return [await deaf() for _ in items]

    group: GroupCommit[int, bool] = GroupCommit(flush)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(group.submit(1))
        await group.run()


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (going_round, None),
        (going_round, ValueError("in its place")),
        (going_round, Unavailable("in its place")),
        (waiting_patiently, Unavailable("in its place")),
        (committing, None),
        (committing, Unavailable("in its place")),
    ],
)
async def test_work_that_goes_round_ends_though_its_cancellation_was_dropped(
    work: Callable[[Deaf], Coroutine[Any, Any, None]], error: Exception | None
) -> None:
    deaf = Deaf(error)
    task = asyncio.create_task(work(deaf))
    await deaf.is_awaited.wait()

    task.cancel()

    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled()


async def test_what_cleans_up_after_a_cancellation_is_not_cut_short_by_it() -> None:
    cleaned = asyncio.Event()

    async def clean() -> None:
        cancellation = Cancellation()
        await asyncio.sleep(0)
        cancellation.heed()
        cleaned.set()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await clean()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled() and cleaned.is_set()


async def test_an_own_deadline_that_is_over_is_no_cancellation() -> None:
    cancellation = Cancellation()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    cancellation.heed()
