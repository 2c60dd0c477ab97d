"""Backoff: pauses that grow, never alike on two nodes, and begin anew when it went well."""

import asyncio

import pytest
from structlog.testing import capture_logs

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


async def test_a_long_outage_is_told_at_once_then_seldom_and_so_is_its_end(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    pausing = Backoff()

    with capture_logs() as logs:
        pausing.reset()
        for _ in range(50):
            pausing.tell("Agent", MetastoreUnavailable("away"))
            await pausing.pause()
        monkeypatch.setattr(backoff, "REMINDER_SECONDS", 0.0)
        pausing.tell("Agent", MetastoreUnavailable("away"))
        pausing.reset()
        pausing.reset()

    told = [(entry["log_level"], entry["event"], entry["agent"]) for entry in logs if entry["log_level"] != "debug"]
    waits, is_back = ("warning", "waiting for a backend", "Agent"), ("info", "the backend is back", "Agent")
    assert told == [waits, waits, is_back]
    assert len(logs) == 52, "what is not told is there for debugging"


async def test_the_next_outage_is_told_at_once_again() -> None:
    pausing = Backoff()

    with capture_logs() as logs:
        for _ in range(2):
            pausing.tell("Agent", MetastoreUnavailable("away"))
            pausing.reset()

    assert [entry["log_level"] for entry in logs] == ["warning", "info", "warning", "info"]


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
