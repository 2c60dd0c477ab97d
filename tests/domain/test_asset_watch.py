"""Watchers of assets: which triggers are the same."""

from dataclasses import replace
from typing import Any

import pytest

from flowd.domain.asset_watch import watch_of
from flowd.domain.deferral import TriggerSpec

TRIGGER = TriggerSpec(classpath="own.Trigger", kwargs={"a": 1, "b": [2]}, file="etl.py", is_in_bundle=True)
LIBRARY = replace(TRIGGER, is_in_bundle=False)


@pytest.mark.parametrize(
    ("one", "fields", "is_same"),
    [
        (TRIGGER, {}, True),
        (TRIGGER, {"kwargs": {"b": [2], "a": 1}}, True),
        (TRIGGER, {"kwargs": {"a": 1, "b": [3]}}, False),
        (TRIGGER, {"classpath": "own.Other"}, False),
        (TRIGGER, {"file": "other.py"}, False),
        (LIBRARY, {"file": "other.py"}, True),
        (LIBRARY, {"is_in_bundle": True}, False),
    ],
)
def test_equal_triggers_are_one_whoever_declared_them(one: TriggerSpec, fields: dict[str, Any], is_same: bool) -> None:
    assert (watch_of(one) == watch_of(replace(one, **fields))) is is_same
