"""Moments and conf as the databases and the versions of Airflow store them."""

import os
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowd.db.airflow_source.stored_values import conf_of, moment_of, text_of

NOON = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "stored",
    [NOON, NOON.replace(tzinfo=None), "2026-03-01 12:00:00.000005", "2026-03-01 13:00:00.000005+01:00"],
    ids=["aware", "naive", "text", "text with a zone"],
)
def test_a_moment_is_in_utc_however_it_is_stored(stored: Any) -> None:
    assert moment_of(stored) == NOON
    assert moment_of(None) is None


@pytest.mark.parametrize(
    ("stored", "conf"),
    [
        (None, {}),
        ('{"a": [1, null]}', {"a": [1, None]}),
        ({"a": 1}, {"a": 1}),
        (b'{"a": 1}', {"a": 1}),
        ("null", {}),
        *((pickle.dumps({"a": (1, "x")}, protocol), {"a": [1, "x"]}) for protocol in (2, 4, 5)),
        (pickle.dumps(None), {}),
    ],
)
def test_a_conf_is_read_from_json_and_from_a_pickle(stored: Any, conf: dict[str, Any]) -> None:
    assert conf_of(stored) == conf


@pytest.mark.parametrize(
    "stored",
    [
        "no json",
        "[1]",
        '{"a": NaN}',
        pickle.dumps({"a": NOON}),
        pickle.dumps({"a": {1}}),
        pickle.dumps({"a": 1})[:-3],
        b"\x80\x04garbage",
        b"\x00\xff",
        b"",
    ],
)
def test_a_conf_that_is_no_object_of_plain_values_is_none(stored: Any) -> None:
    assert conf_of(stored) is None


class _Bomb:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


def test_no_pickle_makes_anything_happen(tmp_path: Path) -> None:
    assert conf_of(pickle.dumps({"a": _Bomb(tmp_path / "made")})) is None

    assert not (tmp_path / "made").exists()


def test_a_text_is_cut_and_has_nothing_that_a_metastore_cannot_hold() -> None:
    assert (text_of("abc", 2), text_of("a\0b"), text_of(None)) == ("ab", "a\\x00b", None)
