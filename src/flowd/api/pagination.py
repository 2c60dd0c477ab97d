"""From the query parameters of a list to its Listing, and their description for the OpenAPI document."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import Request
from starlette.datastructures import QueryParams

from flowd.api.errors import invalid
from flowd.api.schemas.base import in_utc
from flowd.db.views.listing import (
    MOST_ROWS,
    BeginsWith,
    Bounded,
    Comparison,
    Condition,
    Contains,
    Field,
    FieldKind,
    Listing,
    OneOf,
    Order,
    View,
)
from flowd.domain.errors import InvalidInput
from flowd.domain.states import TaskState

DEFAULT_LIMIT = 50
LARGEST_NUMBER = 2**31 - 1
"""What every INTEGER column can be compared with."""

NO_STATE = frozenset({"none", "null", "no_status", ""})
"""How clients spell the state of what has none."""

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def listing_of(view: View) -> Callable[[Request], Listing]:
    """Return a dependency that reads the filters, the order and the page of `view`; unknown parameters are ignored."""

    def read(request: Request) -> Listing:
        return read_listing(view, request.query_params)

    return read


def read_listing(view: View, params: QueryParams) -> Listing:
    """Return what the parameters ask of `view`.

    Raises InvalidInput (400) for an unknown field to order by, RequestValidationError (422) for a value of the wrong
    type.
    """
    conditions: list[Condition] = []
    for name, field in view.fields.items():
        conditions += _conditions(params, name, field)
    return Listing(
        conditions=tuple(conditions),
        order_by=order_of(view, params.getlist("order_by")),
        limit=min(_whole(params, "limit", DEFAULT_LIMIT), MOST_ROWS),
        offset=_whole(params, "offset", 0),
    )


def order_of(view: View, names: list[str]) -> tuple[Order, ...]:
    """Return the order that `names` ask for, `-name` descending; raise InvalidInput for an unknown field."""
    orders = [Order(name.removeprefix("-"), name.startswith("-")) for name in names if name]
    for order in orders:
        if order.field not in view.fields:
            known = ", ".join(sorted(view.fields))
            raise InvalidInput(
                f"Ordering with '{order.field}' is disallowed or the attribute does not exist; wanted one of {known}"
            )
    return tuple(orders)


def bounds(name: str, values: dict[str, Any]) -> list[Condition]:
    """Return the conditions of `name_gte`, `name_gt`, `name_lte` and `name_lt` in a body's values."""
    return [
        Bounded(name, comparison, values[f"{name}_{comparison}"])
        for comparison in Comparison
        if values.get(f"{name}_{comparison}") is not None
    ]


def parameters_of(view: View) -> dict[str, Any]:
    """Return the OpenAPI description of what `listing_of(view)` reads."""
    described: list[dict[str, Any]] = [
        _parameter("limit", {"type": "integer", "minimum": 0, "default": DEFAULT_LIMIT}),
        _parameter("offset", {"type": "integer", "minimum": 0, "default": 0}),
        _parameter(
            "order_by", {"type": "array", "items": {"enum": ["", *view.fields, *(f"-{name}" for name in view.fields)]}}
        ),
    ]
    for name, field in view.fields.items():
        pattern = field.pattern_name or name
        match field.kind:
            case FieldKind.TEXT:
                described.append(_parameter(name, {"type": "array", "items": _choices(field)}))
                described += [
                    _parameter(f"{pattern}_{end}", {"type": "string"}) for end in ("pattern", "prefix_pattern")
                ]
            case FieldKind.FLAG:
                described.append(_parameter(name, {"type": "boolean"}))
            case FieldKind.NUMBER:
                described.append(_parameter(name, {"type": "array", "items": _bounded("integer")}))
                described += [_parameter(f"{name}_{end}", _bounded("integer")) for end in Comparison]
            case FieldKind.SECONDS:
                described += [_parameter(f"{name}_{end}", _bounded("number")) for end in Comparison]
            case FieldKind.MOMENT:
                moment = {"type": "string", "format": "date-time"}
                described += [_parameter(f"{name}_{end}", moment) for end in Comparison]
    return {"parameters": described}


def _choices(field: Field) -> dict[str, Any]:
    if not field.choices:
        return {"type": "string"}
    return {"enum": [*field.choices, *(sorted(NO_STATE) if TaskState.NONE in field.choices else ())]}


def _bounded(type_: str) -> dict[str, Any]:
    return {"type": type_, "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _conditions(params: QueryParams, name: str, field: Field) -> list[Condition]:
    match field.kind:
        case FieldKind.TEXT:
            return _text_conditions(params, name, field)
        case FieldKind.FLAG:
            return [OneOf(name, (_flag(name, text),)) for text in params.getlist(name)[-1:]]
        case FieldKind.NUMBER:
            exact = tuple(_number(name, text) for text in params.getlist(name))
            return ([OneOf(name, exact)] if exact else []) + _bounds(params, name, _number)
        case FieldKind.SECONDS:
            return _bounds(params, name, _seconds)
        case FieldKind.MOMENT:
            return _bounds(params, name, _moment)


def _text_conditions(params: QueryParams, name: str, field: Field) -> list[Condition]:
    conditions: list[Condition] = []
    pattern = field.pattern_name or name
    if values := [_choice(name, field, text) for text in params.getlist(name)]:
        conditions.append(OneOf(name, tuple(values)))
    conditions += [Contains(name, text) for text in params.getlist(f"{pattern}_pattern")]
    conditions += [BeginsWith(name, text) for text in params.getlist(f"{pattern}_prefix_pattern")]
    return conditions


def _bounds(params: QueryParams, name: str, read: Callable[[str, str], Any]) -> list[Condition]:
    return [
        Bounded(name, comparison, read(f"{name}_{comparison}", text))
        for comparison in Comparison
        for text in params.getlist(f"{name}_{comparison}")
    ]


def _choice(name: str, field: Field, text: str) -> str:
    if not field.choices or text in field.choices:
        return text
    if TaskState.NONE in field.choices and text in NO_STATE:
        return TaskState.NONE.value
    raise invalid(("query", name), f"Input should be one of {', '.join(field.choices)}", text, "enum")


def _whole(params: QueryParams, name: str, default: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError as error:
        raise invalid(("query", name), "Input should be a valid integer", text, "int_parsing") from error
    if value < 0:
        raise invalid(("query", name), "Input should be greater than or equal to 0", text, "greater_than_equal")
    return min(value, 2**62)


def _flag(name: str, text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise invalid(("query", name), "Input should be a valid boolean", text, "bool_parsing")
    return _TRUTH[text.lower()]


def _number(name: str, text: str) -> int:
    value = _seconds(name, text)
    if not value.is_integer():
        raise invalid(("query", name), "Input should be a whole number", text, "int_parsing")
    return int(value)


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise invalid(("query", name), "Input should be a valid number", text, "float_parsing") from error
    # Written so that NaN is refused too: it is not within any limit.
    if not abs(value) <= LARGEST_NUMBER:
        raise invalid(("query", name), f"Input should lie within {LARGEST_NUMBER} of 0", text, "finite_number")
    return value


def _moment(name: str, text: str) -> datetime:
    try:
        # An unescaped + in a URL arrives as a space.
        return in_utc(datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text))
    except ValueError as error:
        raise invalid(("query", name), "Input should be a valid datetime", text, "datetime_parsing") from error
