"""Which XCom values a mapped task can expand over, and item by item: lists, tuples and dicts, in their JSON form."""

from typing import Any

TAG = "__flowd__"
"""The key by which a JSON object says that it stands for a value that JSON has not; `value` says which."""

STORED = "stored"
"""The tag of a reference to a value that is not in the metastore (`domain/stored_value.py`)."""

LENGTH_VARIABLE = "AIRFLOW__CORE__MAX_MAP_LENGTH"
"""Where a node tells its child processes how long what others are mapped over may be; the name is Airflow's."""

DEFAULT_MOST_ITEMS = 1024

_ORDERED = ("tuple", "dict")


def items_of(value: Any) -> list[Any] | None:
    """Return the items of a list or tuple, the `[key, value]` pairs of a dict; None for what has no items in order."""
    if isinstance(value, dict) and value.get(TAG) in _ORDERED:
        value = value.get("value")
    elif isinstance(value, dict) and TAG not in value:
        return [[key, item] for key, item in value.items()]
    return value if isinstance(value, list) else None


def length_of(value: Any) -> int | None:
    """Return how many items a value has; None for what has none in order."""
    if isinstance(value, dict) and TAG not in value:
        return len(value)
    if isinstance(value, dict) and value[TAG] == STORED:
        stored: int | None = value["value"]["length"]
        return stored
    items = items_of(value)
    return None if items is None else len(items)
