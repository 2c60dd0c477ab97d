"""Text from outside, made such that every metastore can hold it, and JSON values such that every answer can."""

from typing import Any


def storable(text: str) -> str:
    r"""Return `text` with what no metastore can hold shown as an escape: NUL as \x00, half a character as \udcff."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def shown(value: Any) -> Any:
    """Return a JSON value with halves of characters as escapes: tasks read them back, but no answer can carry them."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {shown(key): shown(item) for key, item in value.items()}
        case list():
            return [shown(item) for item in value]
        case _:
            return value
