"""Fields of a form that are parameters: what is shown in each, and what was typed into it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PARAM = "param:"
"""Begins the names of the fields of a form that are parameters."""

Param = Mapping[str, Any]
"""A parameter of a DAG: its `value`, `description` and JSON `schema`."""

_KINDS = {"date": "date", "date-time": "text", "time": "time"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One parameter as a form shows it; `choices` are all that it may be, empty where it is typed."""

    name: str
    title: str
    description: str
    kind: str
    text: str
    choices: tuple[tuple[str, str], ...] = ()
    is_long: bool = False


def fields_of(params: Mapping[str, Param], values: Mapping[str, Any]) -> list[Field]:
    """Return a field for each parameter, filled in from `values` or with its default."""
    return [_field(name, param, values.get(name, param.get("value"))) for name, param in params.items()]


def typed_value(param: Param, text: str) -> Any:
    """Return what was typed into the field of a parameter: text where that is wanted, else JSON."""
    wanted = (param.get("schema") or {}).get("type", "string" if isinstance(param.get("value"), str) else None)
    if wanted == "string" or (isinstance(wanted, list) and "string" in wanted and text):
        return text
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        # The parameter's schema says better what is wrong with it.
        return text


def _field(name: str, param: Param, value: Any) -> Field:
    schema = param.get("schema") or {}
    kinds = schema.get("type")
    choices = schema.get("enum") or ([True, False] if kinds == "boolean" else [])
    labels = schema.get("values_display") or {}
    return Field(
        name=name,
        title=str(schema.get("title") or name),
        description=str(param.get("description") or schema.get("description") or ""),
        kind="number" if kinds in ("integer", "number") else _KINDS.get(str(schema.get("format")), "text"),
        text=_text(value),
        choices=tuple((_text(choice), str(labels.get(str(choice), _text(choice)))) for choice in choices),
        is_long=kinds in ("array", "object") or isinstance(value, list | dict),
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
