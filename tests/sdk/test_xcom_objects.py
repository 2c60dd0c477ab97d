"""Objects as XComs: made anew by the task that pulls them, of classes that it has imported and of no other."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from flowd.domain.mappable import TAG
from flowd.sdk.xcom_json import from_json, to_json


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Point:
    x: int
    at: datetime
    colour: Colour = Colour.RED
    derived: int = field(init=False, default=7)


class Box(BaseModel):
    corner: tuple[int, int]
    points: list[str] = []
    inner: "Box | None" = None


class Parts:
    """As attrs makes a class, which is not needed here."""

    class _Attribute:
        def __init__(self, name: str) -> None:
            self.name, self.alias, self.init = name, name.lstrip("_"), True

    __attrs_attrs__ = (_Attribute("_hidden"),)

    def __init__(self, hidden: int) -> None:
        self._hidden = hidden

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parts) and other._hidden == self._hidden

    __hash__ = object.__hash__


def through_json(value: Any) -> Any:
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Point(1, datetime(2026, 1, 31, tzinfo=UTC)),
        {"points": [Point(2, datetime(2026, 1, 31))]},
        Box(corner=(1, 2), inner=Box(corner=(0, 0), points=["a"])),
        Parts(3),
        ZoneInfo("Europe/Paris"),
        timezone(timedelta(hours=5, minutes=30)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_comes_back_equal_and_of_its_class(value: Any) -> None:
    restored = through_json(value)

    assert restored == value
    assert type(restored) is type(value)


@pytest.mark.parametrize("name", ["no_such_module:Point", f"{__name__}:Nobody", "subprocess:Popen", "builtins:eval"])
def test_only_data_classes_that_are_imported_are_made(name: str) -> None:
    stored = {TAG: "object", "value": {"class": name, "fields": {"x": 1}}}

    with pytest.raises(ValueError, match="import the class in the DAG file that pulls it, or push a dict"):
        from_json(stored)


def test_a_class_within_a_function_and_a_field_that_is_no_json_are_named() -> None:
    @dataclass
    class Local:
        x: int

    with pytest.raises(TypeError, match="define the class at the top level of a module"):
        to_json(Local(1))
    with pytest.raises(TypeError, match=r"value\.x is a builtins\.object"):
        to_json(Point(object(), datetime(2026, 1, 31)))  # type: ignore[arg-type]
