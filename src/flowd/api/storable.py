"""What the metastore can hold: text without NUL or halves of characters, whole numbers of 32 bits."""

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Request
from pydantic import Field
from starlette.exceptions import HTTPException

WholeNumber = Annotated[int, Field(ge=-(2**31), lt=2**31)]
"""A number in a path or a query that is compared with an INTEGER column."""


def is_storable(value: Any) -> bool:
    """Return whether every text in a JSON value can be stored."""
    match value:
        case str():
            return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
        case dict():
            return all(is_storable(key) and is_storable(one) for key, one in value.items())
        case list():
            return all(map(is_storable, value))
        case _:
            return True


def check_url(request: Request) -> None:
    """Raise HTTPException 400 for a URL whose path or query no database could be asked about."""
    if not is_storable(request.url.path) or not is_storable(unquote(request.url.query)):
        raise HTTPException(400, "the URL holds a NUL character; wanted text")
