"""EnvironmentChange: a task's environment from that of the process it is forked from."""

import os
import time

import pytest

from flowd.child.keeper.environment_change import EnvironmentChange

BEFORE = {"LIKE": "same", "OTHER": "old", "GONE": "1"}
AFTER = {"LIKE": "same", "OTHER": "new", "NEW": "2"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*BEFORE, *AFTER):
        monkeypatch.delenv(name, raising=False)
    for name, value in BEFORE.items():
        monkeypatch.setenv(name, value)


def own_variables() -> dict[str, str]:
    return {name: os.environ[name] for name in (*BEFORE, "NEW") if name in os.environ}


def test_only_what_differs_is_set_and_removed() -> None:
    change = EnvironmentChange.between(BEFORE, AFTER)

    assert change == EnvironmentChange({"OTHER": "new", "NEW": "2"}, ["GONE"])
    assert change.names == {"OTHER", "NEW", "GONE"}


def test_applied_it_makes_the_one_environment_of_the_other() -> None:
    EnvironmentChange.between(BEFORE, AFTER).apply()

    assert own_variables() == AFTER


def test_kept_variables_are_neither_set_nor_removed() -> None:
    EnvironmentChange.between(BEFORE, AFTER).apply(kept={"OTHER", "GONE"})

    assert own_variables() == {**BEFORE, "NEW": "2"}


def test_a_time_zone_is_in_force_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    EnvironmentChange({"TZ": "Asia/Tokyo"}, []).apply()
    in_tokyo = time.localtime(0).tm_hour
    EnvironmentChange({"TZ": "UTC"}, []).apply()

    assert (in_tokyo, time.localtime(0).tm_hour) == (9, 0)
