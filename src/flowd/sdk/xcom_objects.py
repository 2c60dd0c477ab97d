"""XCom values of classes with named fields: dataclasses, attrs and pydantic models, enumerations, time zones.

An object is stored as the name of its class and its fields, and made anew by the task that pulls it. Its class is taken
from the modules that this task has imported, and none is imported for it: who writes an XCom chooses no code to run.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta, timezone, tzinfo
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return what the class of `value` must be given to make it again; None where it has no such fields."""
    if isinstance(value, type):
        return None
    if isinstance(value, Enum):
        return {"value": value.value}
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
    if hasattr(type(value), "__attrs_attrs__"):
        attributes = [attribute for attribute in type(value).__attrs_attrs__ if attribute.init]
        return {getattr(one, "alias", None) or one.name.lstrip("_"): getattr(value, one.name) for one in attributes}
    if hasattr(type(value), "model_validate"):
        dumped: dict[str, Any] = value.model_dump()
        return dumped
    return None


def class_name(value: Any) -> str | None:
    """Return `module:Class` of `value`; None for a class within a function, which no other process can find."""
    kind = type(value)
    return None if "<locals>" in kind.__qualname__ else f"{kind.__module__}:{kind.__qualname__}"


def make(name: str, fields: Mapping[str, Any]) -> Any:
    """Return the object of class `name` with these fields; raise ValueError where the class is not at hand."""
    module, _, path = name.partition(":")
    kind: Any = sys.modules.get(module)
    for part in path.split("."):
        kind = getattr(kind, part, None)
    build = _builder(kind)
    if build is None:
        raise ValueError(
            f"an XCom value is a {path} of {module}, which this task's file has not imported: import the class in the "
            "DAG file that pulls it, or push a dict"
        )
    return build(fields)


def write_zone(zone: tzinfo) -> str | float | None:
    """Return the name of a time zone, or its offset in seconds; None where it has neither."""
    name = getattr(zone, "key", None)
    if isinstance(name, str):
        return name
    return zone.utcoffset(None).total_seconds() if isinstance(zone, timezone) else None


def read_zone(stored: str | float) -> tzinfo:
    """Return the time zone that `write_zone` wrote."""
    return ZoneInfo(stored) if isinstance(stored, str) else timezone(timedelta(seconds=stored))


def _builder(kind: Any) -> Callable[[Mapping[str, Any]], Any] | None:
    if not isinstance(kind, type):
        return None
    if issubclass(kind, Enum):
        return lambda fields: kind(fields["value"])
    if dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__"):
        return lambda fields: kind(**fields)
    validate: Callable[[Mapping[str, Any]], Any] | None = getattr(kind, "model_validate", None)
    return validate
