"""One call to the broker: whatever aiormq makes of a cancellation, the caller is cancelled."""

import asyncio

import pytest

from flowd.queue.amqp.connection import LinkBroken, answer


async def test_a_cancelled_call_is_cancelled_though_it_fails_at_the_same_moment() -> None:
    begun = asyncio.Event()

    async def closed_as_it_is_cancelled() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("the broker closed the connection") from None

    caller = asyncio.ensure_future(answer(closed_as_it_is_cancelled()))
    await begun.wait()
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_call_that_nobody_cancelled_is_broken() -> None:
    async def closed() -> None:
        raise asyncio.CancelledError

    with pytest.raises(LinkBroken, match="the channel was closed"):
        await answer(closed())
