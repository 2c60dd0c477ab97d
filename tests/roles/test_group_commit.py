"""GroupCommit: one flush at a time, batches that grow with the load, and answers that find their way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest

from flowd.roles.group_commit import GroupCommit


class Press:
    """A flush that waits until it is let go, answers each number with its double, and fails for a zero."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.began = asyncio.Event()
        self.may_go = asyncio.Event()

    async def flush(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        self.began.set()
        await self.may_go.wait()
        if 0 in items:
            raise ValueError("zero")
        return [2 * item for item in items]


@pytest.fixture
def press() -> Press:
    return Press()


@pytest.fixture
async def group(press: Press) -> AsyncIterator[GroupCommit[int, int]]:
    commit: GroupCommit[int, int] = GroupCommit(press.flush, most=3)
    task = asyncio.ensure_future(commit.run())
    yield commit
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def submitted(group: GroupCommit[int, int], *items: int) -> list[asyncio.Task[int]]:
    return [asyncio.ensure_future(group.submit(item)) for item in items]


async def test_what_arrives_during_a_flush_goes_together_in_the_next(
    group: GroupCommit[int, int], press: Press
) -> None:
    first = submitted(group, 1)
    await press.began.wait()
    rest = submitted(group, 2, 3)
    await asyncio.sleep(0)
    press.may_go.set()

    assert await asyncio.gather(*first, *rest) == [2, 4, 6]
    assert press.batches == [[1], [2, 3]]


async def test_no_batch_is_larger_than_the_most_and_the_order_is_kept(
    group: GroupCommit[int, int], press: Press
) -> None:
    press.may_go.set()

    assert await asyncio.gather(*submitted(group, *range(1, 9))) == [2 * item for item in range(1, 9)]
    assert press.batches == [[1, 2, 3], [4, 5, 6], [7, 8]]


async def test_a_flush_that_fails_fails_its_own_batch_alone(group: GroupCommit[int, int], press: Press) -> None:
    press.may_go.set()

    answers = await asyncio.gather(*submitted(group, 1, 0, 2, 3, 4), return_exceptions=True)

    assert [str(answer) for answer in answers] == ["zero", "zero", "zero", "6", "8"]


async def test_a_submission_that_is_cancelled_is_flushed_all_the_same(
    group: GroupCommit[int, int], press: Press
) -> None:
    cancelled, other = submitted(group, 1, 2)
    await press.began.wait()
    cancelled.cancel()
    press.may_go.set()

    assert await other == 4
    assert press.batches == [[1, 2]]
    assert cancelled.cancelled() or cancelled.cancelling()


async def test_it_goes_on_after_a_batch_in_which_everyone_gave_up(group: GroupCommit[int, int], press: Press) -> None:
    (gone,) = submitted(group, 0)
    await press.began.wait()
    gone.cancel()
    press.may_go.set()

    assert await group.submit(5) == 10
