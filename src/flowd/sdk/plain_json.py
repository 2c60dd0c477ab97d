"""Any value an author wrote as plain JSON, the same in every parse: no memory address, no order of a set."""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def plain_json(value: Any) -> Any:
    """Return `value` as JSON for people to read; what JSON lacks becomes text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain_json(item) for item in value), key=repr)
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if callable(value):
        name = getattr(value, "__qualname__", type(value).__qualname__)
        return f"{getattr(value, '__module__', '')}.{name}"
    return _ADDRESS.sub("", str(value))
