"""Work alongside a context, and work that is finished despite a cancellation."""

import asyncio
from collections.abc import Sequence

import pytest

from flowd.queue.structured import alongside, finish_despite_cancel


async def test_work_alongside_ends_with_its_context() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with alongside(work()):
        await asyncio.sleep(0)

    assert ended.is_set()


async def test_work_alongside_that_fails_ends_its_context() -> None:
    async def work() -> None:
        raise LookupError("broken")

    with pytest.raises(ExceptionGroup) as failure:
        async with alongside(work()):
            await asyncio.Event().wait()

    assert failure.group_contains(LookupError, match="broken")


async def test_the_contexts_own_error_arrives_as_it_is() -> None:
    with pytest.raises(LookupError, match="mine"):
        async with alongside(asyncio.sleep(60)):
            raise LookupError("mine")


class Job:
    """Work that ends when it is told to, and a record of what was undone."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.may_end = asyncio.Event()
        self.undone: list[int] = []
        self.was_broken_off = False
        self._failure = failure

    async def run(self) -> Sequence[int]:
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_broken_off = True
            raise
        if self._failure:
            raise self._failure
        return [1, 2]

    async def undo(self, result: Sequence[int]) -> None:
        self.undone.extend(result)

    def finish(self) -> "asyncio.Future[Sequence[int]]":
        return asyncio.ensure_future(finish_despite_cancel(self.run(), hurry=self.may_end.set, undo=self.undo))


async def test_finished_work_brings_its_result() -> None:
    job = Job()
    job.may_end.set()

    assert list(await job.finish()) == [1, 2]
    assert job.undone == []


async def test_failed_work_raises_its_own_error() -> None:
    job = Job(LookupError("broken"))
    job.may_end.set()

    with pytest.raises(LookupError, match="broken"):
        await job.finish()


@pytest.mark.parametrize("turns_before_cancel", range(1, 5))
async def test_cancelled_work_is_hurried_finished_and_undone(turns_before_cancel: int) -> None:
    job = Job()
    finishing = job.finish()
    for _ in range(turns_before_cancel):
        await asyncio.sleep(0)

    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing

    assert not job.was_broken_off
    assert job.undone == [1, 2]


async def test_cancelled_work_that_fails_is_still_a_cancellation() -> None:
    job = Job(LookupError("broken"))
    finishing = job.finish()
    await asyncio.sleep(0)

    finishing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await finishing
    assert job.undone == []


async def test_work_that_cannot_be_undone_is_still_a_cancellation() -> None:
    job = Job()

    async def undo(result: Sequence[int]) -> None:
        raise LookupError("cannot")

    finishing = asyncio.ensure_future(finish_despite_cancel(job.run(), hurry=job.may_end.set, undo=undo))
    await asyncio.sleep(0)

    finishing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await finishing


async def test_a_second_cancellation_breaks_the_work_off() -> None:
    job = Job()
    stubborn = asyncio.ensure_future(finish_despite_cancel(job.run(), hurry=lambda: None, undo=job.undo))
    for _ in range(3):
        await asyncio.sleep(0)

    stubborn.cancel()
    await asyncio.sleep(0)
    stubborn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stubborn

    assert job.was_broken_off
