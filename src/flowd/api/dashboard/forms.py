"""Forms: what somebody typed, checked by the shapes of the API; what is wrong is told beside what they typed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from pydantic import ValidationError

from flowd.api.dashboard.guard import CSRF_FIELD
from flowd.api.schemas.base import Body, in_utc
from flowd.api.storable import is_storable
from flowd.domain.errors import InvalidInput

BodyType = TypeVar("BodyType", bound=Body)

YES = "true"
"""What a ticked box sends; one that is not ticked sends nothing."""


async def typed_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form but for its token; raise InvalidInput for text that cannot be stored."""
    typed = {name: str(value) for name, value in (await request.form()).items() if name != CSRF_FIELD}
    if not is_storable(typed):
        raise InvalidInput("the form holds a NUL character; wanted text")
    return typed


Typed = Annotated[dict[str, str], Depends(typed_fields)]


def body_of(kind: type[BodyType], values: Mapping[str, Any]) -> BodyType:
    """Return the body that these values make; raise InvalidInput that names each wrong field, and repeats no value."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        found = (f"{'.'.join(map(str, one['loc'])) or 'form'}: {_said(one['msg'])}" for one in error.errors())
        raise InvalidInput("; ".join(found)) from error


def needed(typed: Mapping[str, str], name: str) -> str:
    """Return what this field holds; raise InvalidInput for a form that is without it."""
    if not typed.get(name):
        raise InvalidInput(f"the form has no {name}")
    return typed[name]


def typed_moment(text: str, zone: ZoneInfo, name: str) -> datetime:
    """Return the moment that was typed, in this zone where it names none; raise InvalidInput for what is no moment."""
    try:
        found = datetime.fromisoformat(text)
        return in_utc(found if found.tzinfo else found.replace(tzinfo=zone))
    except ValueError as error:
        raise InvalidInput(f"{name} is {text!r}; wanted a date and time as 2026-01-31T23:59") from error


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
