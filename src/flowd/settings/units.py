"""Durations and sizes as people write them: "30s", "1h30m", "500ms"; "64MiB", "10GB"."""

import re
from datetime import timedelta

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_BYTES |= {f"{prefix}ib": _BYTES[prefix] for prefix in "kmgt"}
_BYTES |= {"kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4}

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|[wdhms])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_duration(value: object) -> timedelta:
    """Return the duration that a text like "30s", "500ms" or "1h30m" names; a bare number is seconds.

    Raises ValueError for anything else, and for a negative or infinite one.
    """
    match value:
        case timedelta():
            return value
        case bool():
            pass
        case int() | float() if 0 <= value < float("inf"):
            return timedelta(seconds=value)
        case str():
            text = value.strip().lower()
            if re.fullmatch(r"\d+(\.\d+)?", text):
                return timedelta(seconds=float(text))
            if text and re.fullmatch(rf"({_PART.pattern})+", text):
                return sum((_part(number, unit) for number, unit in _PART.findall(text)), timedelta())
    raise ValueError(f"{value!r} is no duration; write a number with a unit, as 500ms, 30s, 5m, 1h30m or 7d")


def format_duration(value: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads back as `value`."""
    microseconds = value // timedelta(microseconds=1)
    for unit, seconds in _SECONDS.items():
        if microseconds and microseconds % (seconds * 1_000_000) == 0:
            return f"{microseconds // (seconds * 1_000_000)}{unit}"
    if microseconds % 1000 == 0:
        return f"{microseconds // 1000}ms" if microseconds else "0s"
    return f"{microseconds}us"


def parse_size(value: object) -> int:
    """Return the bytes that a text like "64MiB" (or "64M", 1024-based) or "10GB" (1000-based) names.

    Raises ValueError for anything else.
    """
    match value:
        case bool():
            pass
        case int() if value >= 0:
            return value
        case str() if (parts := _SIZE.fullmatch(value.strip())) and parts[2].lower() in _BYTES:
            return int(float(parts[1]) * _BYTES[parts[2].lower()])
    raise ValueError(f"{value!r} is no size; write bytes with a unit, as 500KiB, 64MiB or 1GiB")


def format_size(value: int) -> str:
    """Return the shortest text that `parse_size` reads back as `value`."""
    for unit, factor in (("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if value and value % factor == 0:
            return f"{value // factor}{unit}"
    return f"{value}B"


def _part(number: str, unit: str) -> timedelta:
    match unit:
        case "ms":
            return timedelta(milliseconds=float(number))
        case "us":
            return timedelta(microseconds=float(number))
        case _:
            return timedelta(seconds=float(number) * _SECONDS[unit])
