"""A bulkhead: what is well goes on together, and in trouble each by itself."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from flowd.domain.errors import QueueUnavailable
from flowd.roles.bulkhead import one_by_one_in_trouble


async def divide(numbers: Sequence[int]) -> list[float]:
    return [1 / number for number in numbers]


def named(number: int) -> dict[str, object]:
    return {"number": number}


async def test_what_is_well_is_done_at_once() -> None:
    assert await one_by_one_in_trouble("Divider", [1, 2], divide, names=named) == [[1.0, 0.5]]


async def test_one_that_fails_is_left_out_and_named() -> None:
    with capture_logs() as events:
        answers = await one_by_one_in_trouble("Divider", [1, 0, 2], divide, names=named)

    assert answers == [[1.0], [0.5]]
    (left_out,) = [event for event in events if event["event"] == "left out"]
    assert (left_out["agent"], left_out["number"]) == ("Divider", 0)


async def test_a_backend_that_is_away_is_no_items_fault() -> None:
    asked: list[Sequence[int]] = []

    async def away(numbers: Sequence[int]) -> None:
        asked.append(numbers)
        raise QueueUnavailable("away")

    with pytest.raises(QueueUnavailable):
        await one_by_one_in_trouble("Divider", [1, 2], away, names=named)
    assert asked == [[1, 2]]
