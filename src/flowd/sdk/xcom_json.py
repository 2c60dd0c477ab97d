"""XCom values as JSON: plain values as they are, what JSON lacks as a tagged object that reads back as itself.

`{"__flowd__": "datetime", "value": "2026-01-01T00:00:00+00:00"}`; the tags are datetime, date, time, timedelta,
decimal, tuple, set, frozenset, float (nan, infinities), dict (keys that are not text, or the tag's own name), timezone,
and object (a dataclass, an attrs or pydantic model, a member of an enumeration).
"""

import math
import numbers
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NoReturn

from flowd.domain.mappable import TAG
from flowd.sdk.lazy_sequence import LazySequence
from flowd.sdk.xcom_objects import class_name, fields_of, make, read_zone, write_zone

_ADVICE = {
    "bytes": "return text (value.decode()) or write a file and return its path",
    "bytearray": "return text (bytes(value).decode()) or write a file and return its path",
    "DataFrame": "return frame.to_dict('records') if it is small, else write a file and return its path",
    "ndarray": "return array.tolist() if it is small, else write a file and return its path",
    "PosixPath": "return str(path)",
    "UUID": "return str(value)",
    "generator": "return list(value)",
    "XComArg": "return what it resolves to, by taking it as an argument of the task",
}


def to_json(value: Any) -> Any:
    """Return `value` as JSON; raise TypeError naming the place and type of what cannot be, and what to do instead."""
    return _encode(value, "value")


def from_json(document: Any) -> Any:
    """Return the value that `to_json` wrote."""
    if isinstance(document, list):
        return [from_json(item) for item in document]
    if not isinstance(document, dict):
        return document
    if TAG not in document:
        return {key: from_json(item) for key, item in document.items()}
    read = _READ.get(document[TAG])
    if read is None:
        raise ValueError(f"an XCom value has the tag {document[TAG]!r}; this version knows {', '.join(sorted(_READ))}")
    return read(document["value"])


def _encode(value: Any, place: str) -> Any:
    if value is None or value is True or value is False:
        return value
    for kind, write in _WRITE:
        if isinstance(value, kind):
            return write(value, place)
    fields = fields_of(value)
    if fields is not None:
        return _object(value, fields, place)
    name = type(value).__name__
    advice = _ADVICE.get(name, "return text, numbers, lists or dicts, such as dataclasses.asdict(value) or vars(value)")
    raise TypeError(f"{place} is a {type(value).__module__}.{name}, which an XCom cannot hold: {advice}")


def _tagged(tag: str, value: Any) -> dict[str, Any]:
    return {TAG: tag, "value": value}


def _float(value: Any, place: str) -> Any:
    number = float(value)
    return number if math.isfinite(number) else _tagged("float", str(number))


def _list(value: Any, place: str) -> list[Any]:
    return [_encode(item, f"{place}[{index}]") for index, item in enumerate(value)]


def _set(value: Any, place: str) -> dict[str, Any]:
    items = [_encode(item, f"an item of {place}") for item in value]
    # The order of a set differs between processes; the stored form should not.
    return _tagged("frozenset" if isinstance(value, frozenset) else "set", sorted(items, key=repr))


def _mapping(value: Mapping[Any, Any], place: str) -> dict[str, Any]:
    if TAG in value or not all(isinstance(key, str) for key in value):
        pairs = [[_encode(k, f"a key of {place}"), _encode(v, f"{place}[{k!r}]")] for k, v in value.items()]
        return _tagged("dict", pairs)
    return {str.__str__(key): _encode(item, f"{place}[{key!r}]") for key, item in value.items()}


def _object(value: Any, fields: dict[str, Any], place: str) -> dict[str, Any]:
    name = class_name(value)
    if name is None:
        raise TypeError(
            f"{place} is a {type(value).__qualname__}, whose class no other process can find: define the class at the "
            "top level of a module, or return a dict"
        )
    encoded = {field: _encode(item, f"{place}.{field}") for field, item in fields.items()}
    return _tagged("object", {"class": name, "fields": encoded})


def _zone(value: tzinfo, place: str) -> dict[str, Any]:
    stored = write_zone(value)
    if stored is None:
        raise TypeError(f"{place} is a time zone without a name, which an XCom cannot hold: return its offset")
    return _tagged("timezone", stored)


def _fraction(value: Any, place: str) -> NoReturn:
    raise TypeError(f"{place} is a Fraction, which an XCom cannot hold: return float(value) or str(value)")


# In this order: a datetime is a date, numpy's numbers are Integral or Real, a Fraction is Real too.
_WRITE: tuple[tuple[type | tuple[type, ...], Callable[[Any, str], Any]], ...] = (
    (str, lambda value, place: str.__str__(value)),
    (numbers.Integral, lambda value, place: int(value)),
    (numbers.Rational, _fraction),
    (numbers.Real, _float),
    (Decimal, lambda value, place: _tagged("decimal", str(value))),
    (datetime, lambda value, place: _tagged("datetime", value.isoformat())),
    (date, lambda value, place: _tagged("date", value.isoformat())),
    (time, lambda value, place: _tagged("time", value.isoformat())),
    (timedelta, lambda value, place: _tagged("timedelta", [value.days, value.seconds, value.microseconds])),
    (tuple, lambda value, place: _tagged("tuple", _list(value, place))),
    ((list, LazySequence), _list),
    ((set, frozenset), _set),
    (Mapping, _mapping),
    (tzinfo, _zone),
)
_READ: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(days=parts[0], seconds=parts[1], microseconds=parts[2]),
    "tuple": lambda items: tuple(from_json(item) for item in items),
    "set": lambda items: {from_json(item) for item in items},
    "frozenset": lambda items: frozenset(from_json(item) for item in items),
    "timezone": read_zone,
    "object": lambda stored: make(stored["class"], from_json(stored["fields"])),
    "dict": lambda pairs: {from_json(key): from_json(value) for key, value in pairs},
}
