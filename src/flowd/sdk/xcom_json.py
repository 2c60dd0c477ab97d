"""XCom values as JSON: plain values as they are, what JSON lacks as a tagged object that reads back as itself.

`{"__flowd__": "datetime", "value": "2026-01-01T00:00:00+00:00"}`; the tags are datetime, date, time, timedelta,
decimal, tuple, set, frozenset, float (nan, infinities), dict (keys that are not text, or the tag's own name), timezone,
bytes, object (a dataclass, an attrs or pydantic model, a member of an enumeration), numpy, frame and series (pandas),
path (an ObjectStoragePath), stored (a reference to a value that is too large for the metastore).
"""

import base64
import math
import numbers
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NoReturn

from flowd.domain.mappable import STORED, TAG
from flowd.domain.stored_value import StoredValue
from flowd.domain.telling_names import sounds_secret
from flowd.sdk.lazy_sequence import LazySequence
from flowd.sdk.object_location import ObjectLocation
from flowd.sdk.object_path import ObjectStoragePath
from flowd.sdk.xcom_arrays import (
    from_frame,
    from_numpy,
    from_series,
    is_truth,
    to_frame,
    to_numpy,
    to_series,
)
from flowd.sdk.xcom_objects import class_name, fields_of, make, read_zone, write_zone
from flowd.sdk.xcom_store import fetched

_KEYS = ("key", "username", "account_key", "sas")
"""What file systems call a key and what no other rule takes for one."""

_ADVICE = {
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
    if is_truth(value):
        return bool(value)
    for tag, write_array in _WRITE_ARRAY:
        stored = _array(value, place, write_array)
        if stored is not None:
            return _tagged(tag, stored)
    name = type(value).__name__
    advice = _ADVICE.get(name, "return text, numbers, lists or dicts, such as dataclasses.asdict(value) or vars(value)")
    raise TypeError(f"{place} is a {type(value).__module__}.{name}, which an XCom cannot hold: {advice}")


def _tagged(tag: str, value: Any) -> dict[str, Any]:
    return {TAG: tag, "value": value}


def _float(value: Any, place: str) -> Any:
    number = float(value)
    return number if math.isfinite(number) else _tagged("float", str(number))


def _moment(value: datetime, place: str) -> dict[str, Any] | None:
    # pandas' NaT is a datetime that is not equal to itself; it means that there is none.
    return _tagged("datetime", value.isoformat()) if value == value else None


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


def _array(value: Any, place: str, write: Callable[[Any], Any]) -> Any:
    try:
        return write(value)
    except ValueError as error:
        raise TypeError(
            f"{place} is a {type(value).__name__} which an XCom cannot hold: {error}; return value.to_dict() or "
            "value.tolist() if it is small, else write a file and return its path"
        ) from error


def _zone(value: tzinfo, place: str) -> dict[str, Any]:
    stored = write_zone(value)
    if stored is None:
        raise TypeError(f"{place} is a time zone without a name, which an XCom cannot hold: return its offset")
    return _tagged("timezone", stored)


def _path(value: ObjectLocation, place: str) -> dict[str, Any]:
    secrets = [name for name in value.storage_options if name in _KEYS or sounds_secret(name)]
    if secrets:
        raise TypeError(
            f"{place} is an ObjectStoragePath with {secrets[0]!r}, which everybody could read in an XCom: put it into "
            "a connection, and that into the path"
        )
    stored = {"path": str(value), "options": _mapping(value.storage_options, f"{place}.storage_options")}
    return _tagged("path", stored)


def _fraction(value: Any, place: str) -> NoReturn:
    raise TypeError(f"{place} is a Fraction, which an XCom cannot hold: return float(value) or str(value)")


# In this order: a datetime is a date, numpy's numbers are Integral or Real, a Fraction is Real too.
_WRITE: tuple[tuple[type | tuple[type, ...], Callable[[Any, str], Any]], ...] = (
    (str, lambda value, place: str.__str__(value)),
    ((bytes, bytearray), lambda value, place: _tagged("bytes", base64.b64encode(value).decode("ascii"))),
    (numbers.Integral, lambda value, place: int(value)),
    (numbers.Rational, _fraction),
    (numbers.Real, _float),
    (Decimal, lambda value, place: _tagged("decimal", str(value))),
    (datetime, _moment),
    (date, lambda value, place: _tagged("date", value.isoformat())),
    (time, lambda value, place: _tagged("time", value.isoformat())),
    (timedelta, lambda value, place: _tagged("timedelta", [value.days, value.seconds, value.microseconds])),
    (tuple, lambda value, place: _tagged("tuple", _list(value, place))),
    ((list, LazySequence), _list),
    ((set, frozenset), _set),
    (Mapping, _mapping),
    (tzinfo, _zone),
    (ObjectLocation, _path),
)
_WRITE_ARRAY: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("numpy", from_numpy),
    ("frame", from_frame),
    ("series", from_series),
)
_READ: dict[str, Callable[[Any], Any]] = {
    "bytes": base64.b64decode,
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
    "numpy": to_numpy,
    "frame": to_frame,
    STORED: lambda reference: from_json(fetched(StoredValue(**reference))),
    "path": lambda stored: ObjectStoragePath(stored["path"], **from_json(stored["options"])),
    "series": to_series,
    "dict": lambda pairs: {from_json(key): from_json(value) for key, value in pairs},
}
