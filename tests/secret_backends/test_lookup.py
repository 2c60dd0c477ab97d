"""SecretLookup: backends in their order, then the environment; answers are kept for a while, failures are not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from flowd.secret_backends.base import SecretsUnavailable
from flowd.secret_backends.lookup import MOST_KEPT, Found, SecretLookup
from tests.api.cluster import MovableClock

ENVIRON = {
    "AIRFLOW_VAR_BOTH": "environment",
    "AIRFLOW_VAR_OURS": "airflow",
    "FLOWD_VAR_OURS": "flowd",
    "FLOWD_VAR_THEIRS": "flowd",
    "AIRFLOW_CONN_DB": "http://h/",
}


class Shelf:
    """A backend of a dictionary, which counts how often it was asked."""

    def __init__(self, held: Mapping[str, str]) -> None:
        self.held = dict(held)
        self.asked: list[str] = []
        self.is_open = self.is_broken = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        self.is_open = True
        yield
        self.is_open = False

    async def variable(self, key: str) -> str | None:
        self.asked.append(key)
        await asyncio.sleep(0)
        if self.is_broken:
            raise SecretsUnavailable("the shelf fell down")
        return self.held.get(key)

    connection = variable


def lookup(*shelves: Shelf, clock: MovableClock | None = None, seconds: float = 30) -> SecretLookup:
    return SecretLookup(shelves, ENVIRON, clock or MovableClock(), timedelta(seconds=seconds))


async def test_the_first_that_has_it_is_believed() -> None:
    found = lookup(Shelf({"both": "first"}), Shelf({"both": "second", "late": "second"}))

    assert await found.variable("both") == Found("first", is_secret=True)
    assert await found.variable("late") == Found("second", is_secret=True)
    assert await found.variable("ours") == Found("airflow", is_secret=False)
    assert await found.connection("db") == Found("http://h/", is_secret=False)
    assert await found.variable("theirs") == Found("flowd", is_secret=False)
    assert await found.variable("nowhere") is None
    assert await found.variable("ours", is_in_environment=True) is None


async def test_answers_are_kept_for_a_while_also_that_there_is_none() -> None:
    shelf, clock = Shelf({"a": "1"}), MovableClock()
    found = lookup(shelf, clock=clock)

    for _ in range(3):
        await found.variable("a")
        await found.variable("none")
    shelf.held["a"] = "2"
    assert await found.variable("a") == Found("1", is_secret=True)
    assert shelf.asked == ["a", "none"]
    clock.advance(31)

    assert await found.variable("a") == Found("2", is_secret=True)


async def test_a_variable_and_a_connection_of_one_name_are_two() -> None:
    shelf = Shelf({"a": "1"})
    found = lookup(shelf)

    await found.variable("a")
    await found.connection("a")

    assert shelf.asked == ["a", "a"]


async def test_of_many_who_want_the_same_at_once_one_asks() -> None:
    shelf = Shelf({"a": "1"})
    found = lookup(shelf)

    await asyncio.gather(*(found.variable("a") for _ in range(50)))

    assert shelf.asked == ["a"]


async def test_a_failure_is_told_and_neither_kept_nor_passed_over() -> None:
    broken, next_one = Shelf({"ours": "1"}), Shelf({"ours": "old"})
    broken.is_broken = True
    found = lookup(broken, next_one)

    with pytest.raises(SecretsUnavailable, match="the shelf fell down"):
        await found.variable("ours")
    broken.is_broken = False

    assert await found.variable("ours") == Found("1", is_secret=True)
    assert next_one.asked == []


async def test_nothing_is_kept_where_that_is_not_wanted_and_never_without_end() -> None:
    shelf, other = Shelf({}), Shelf({})
    anew, kept = lookup(shelf, seconds=0), lookup(other)

    for _ in range(2):
        await anew.variable("a")
    for number in range(MOST_KEPT + 1):
        await kept.variable(str(number))
    await kept.variable(str(MOST_KEPT))
    await kept.variable("0")

    assert shelf.asked == ["a", "a"]
    assert len(other.asked) == MOST_KEPT + 2


async def test_backends_are_open_for_the_time_of_the_context() -> None:
    shelf = Shelf({})

    async with lookup(shelf).open():
        assert shelf.is_open

    assert not shelf.is_open
