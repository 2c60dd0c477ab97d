"""While modules are loaded no garbage is collected, and afterwards they are in no collection's way."""

import gc
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowd.cli.swift_import import swift_import


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_loaded_is_left_alone_by_the_collector_which_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loaded_for_once.py").write_text("many = [[] for _ in range(100)]\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = gc.get_freeze_count()

    with swift_import():
        assert not gc.isenabled()
        many = importlib.import_module("loaded_for_once").many

    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(many)


def test_where_all_is_loaded_already_nothing_is_kept_from_the_collector() -> None:
    before = gc.get_freeze_count()

    with swift_import():
        importlib.import_module("gc")

    assert gc.get_freeze_count() == before


def test_a_failed_import_leaves_the_collector_at_work() -> None:
    with pytest.raises(ImportError, match="no_such_module"), swift_import():
        __import__("no_such_module")

    assert gc.isenabled()
