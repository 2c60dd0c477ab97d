"""While modules are loaded no garbage is collected, and afterwards they are in no collection's way."""

import gc
from collections.abc import Iterator

import pytest

from flowd.cli.swift_import import swift_import


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_loaded_is_left_alone_by_the_collector_which_then_goes_on() -> None:
    before = gc.get_freeze_count()

    with swift_import():
        assert not gc.isenabled()
        loaded: list[list[int]] = [[] for _ in range(100)]

    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(loaded)


def test_a_failed_import_leaves_the_collector_at_work() -> None:
    with pytest.raises(ImportError, match="no_such_module"), swift_import():
        __import__("no_such_module")

    assert gc.isenabled()
