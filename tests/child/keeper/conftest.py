"""A keeper of one's own, and a bench to launch from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flowd.child.keeper_client import Keeper
from tests.child.keeper.launching import KEEPER_ENV, Bench, is_alive, no_answer


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder with launches that log there."""
    return Bench(tmp_path)


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    """A running keeper, which is gone after the test."""
    async with Keeper.open(env=KEEPER_ENV, on_request=no_answer) as keeper:
        yield keeper
    assert not is_alive(keeper.pid)
