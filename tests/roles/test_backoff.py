"""Backoff: pauses that grow, never alike on two nodes, and begin anew when it went well."""

import asyncio

import pytest

from flowd.domain.errors import MetastoreUnavailable, QueueUnavailable
from flowd.roles import backoff
from flowd.roles.backoff import FIRST_SECONDS, MOST_SECONDS, Backoff, patiently


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, where nobody sleeps."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


async def test_pauses_double_up_to_the_most_and_each_is_cut_short_at_random(pauses: list[float]) -> None:
    pausing = Backoff()

    for _ in range(10):
        await pausing.pause()

    wanted = [min(FIRST_SECONDS * 2**number, MOST_SECONDS) for number in range(10)]
    assert all(most / 2 <= slept <= most for slept, most in zip(pauses, wanted, strict=True))
    assert len({slept / most for slept, most in zip(pauses, wanted, strict=True)}) > 1


async def test_it_begins_anew_when_it_went_well(pauses: list[float]) -> None:
    pausing = Backoff()
    for _ in range(5):
        await pausing.pause()

    pausing.reset()
    await pausing.pause()

    assert pauses[-1] <= FIRST_SECONDS


async def test_patience_asks_until_the_backend_is_back(pauses: list[float]) -> None:
    answers: list[Exception | str] = [MetastoreUnavailable("away"), QueueUnavailable("away"), "here"]

    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await patiently("Agent", ask) == "here"
    assert len(pauses) == 2


async def test_patience_has_none_with_a_bug(pauses: list[float]) -> None:
    async def ask() -> str:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await patiently("Agent", ask)

    assert pauses == []
    assert backoff.FIRST_SECONDS < backoff.MOST_SECONDS
