"""The program that runs in another interpreter: `python guest.py INPUT OUTPUT` calls one function and writes its value.

It is read by whatever Python the task names, from 3.8 on, and imports the standard library alone; flowd itself is
not there. Values are written as `flowd.sdk.xcom_json` writes them, less the objects, whose classes it does not know.
"""

import __future__
import json
import math
import sys
import traceback
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Callable, Dict, Tuple

TAG = "__flowd__"


def main(input_path: str, output_path: str) -> None:
    """Call the function described in the input file, and write `{"value": …}` or `{"error": …}`."""
    with open(input_path, encoding="utf-8") as file:
        given = json.load(file)
    # Blank lines before it, so that a traceback has the line numbers of the DAG file.
    source = "\n" * (given["line"] - 1) + given["source"]
    names: Dict[str, Any] = {"__name__": "__flowd_guest__", "virtualenv_string_args": given["string_args"]}
    try:
        flags = __future__.annotations.compiler_flag
        exec(compile(source, given["file"], "exec", flags=flags, dont_inherit=True), names)
        args, kwargs = read(given["args"]), read(given["kwargs"])
        answer = {"value": write(names[given["name"]](*args, **kwargs), "the returned value")}
        code = 0
    except Exception as error:
        traceback.print_exc()
        answer = {"error": "".join(traceback.format_exception_only(type(error), error)).strip()}
        code = 1
    with open(output_path, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    sys.exit(code)


def write(value: Any, place: str) -> Any:
    """Return `value` as JSON; raise TypeError for what cannot be."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    for kind, how in WRITE:
        if isinstance(value, kind):
            return how(value, place)
    if type(value).__module__.partition(".")[0] == "numpy" and getattr(value, "shape", None) == ():
        return write(value.item(), place)
    raise TypeError(
        "%s is a %s.%s, which cannot leave this interpreter: return text, numbers, lists, dicts, sets, dates or"
        " decimals, or write a file and return its path" % (place, type(value).__module__, type(value).__name__)
    )


def write_list(value: Any, place: str) -> Any:
    """Return the items as JSON, in their order."""
    return [write(item, "%s[%d]" % (place, index)) for index, item in enumerate(value)]


def write_set(value: Any, place: str) -> Any:
    """Return a set in an order that does not change from process to process."""
    return tagged("frozenset" if isinstance(value, frozenset) else "set", sorted(write_list(value, place), key=repr))


def write_dict(value: Any, place: str) -> Any:
    """Return a dict as JSON, whatever its keys are."""
    if TAG in value or not all(isinstance(key, str) for key in value):
        return tagged("dict", [[write(key, "a key of " + place), write(item, place)] for key, item in value.items()])
    return {key: write(item, "%s[%r]" % (place, key)) for key, item in value.items()}


def tagged(tag: str, value: Any) -> Any:
    """Return what JSON lacks as an object that says so."""
    return {TAG: tag, "value": value}


def read(document: Any) -> Any:
    """Return the value that was written as JSON."""
    if isinstance(document, list):
        return [read(item) for item in document]
    if not isinstance(document, dict):
        return document
    if TAG not in document:
        return {key: read(item) for key, item in document.items()}
    return READ[document[TAG]](document["value"])


def read_moment(text: str) -> datetime:
    """Return a datetime: pendulum's where it is installed here, as tasks elsewhere get them."""
    moment = datetime.fromisoformat(text)
    try:
        import pendulum
    except ImportError:
        return moment
    found: datetime = pendulum.instance(moment)
    return found


def read_zone(stored: Any) -> tzinfo:
    """Return a time zone by its name or its offset in seconds; by its name only from Python 3.9 on."""
    if not isinstance(stored, str):
        return timezone(timedelta(seconds=stored))
    from zoneinfo import ZoneInfo

    return ZoneInfo(stored)


def refuse_object(stored: Any) -> None:
    """Refuse an object of a class that only the other interpreter has."""
    raise TypeError("an argument is a %s, which cannot enter this interpreter: pass a dict" % stored["class"])


WRITE: Tuple[Tuple[Any, Callable[[Any, str], Any]], ...] = (
    (float, lambda value, place: value if math.isfinite(value) else tagged("float", str(value))),
    (Decimal, lambda value, place: tagged("decimal", str(value))),
    (timedelta, lambda value, place: tagged("timedelta", [value.days, value.seconds, value.microseconds])),
    (datetime, lambda value, place: tagged("datetime", value.isoformat())),
    (date, lambda value, place: tagged("date", value.isoformat())),
    (time, lambda value, place: tagged("time", value.isoformat())),
    (tuple, lambda value, place: tagged("tuple", write_list(value, place))),
    (list, write_list),
    ((set, frozenset), write_set),
    (dict, write_dict),
)
READ: Dict[str, Callable[[Any], Any]] = {
    "float": float,
    "decimal": Decimal,
    "datetime": read_moment,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "tuple": lambda items: tuple(read(items)),
    "set": lambda items: set(read(items)),
    "frozenset": lambda items: frozenset(read(items)),
    "dict": lambda pairs: {read(key): read(item) for key, item in pairs},
    "timezone": read_zone,
    "object": refuse_object,
}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
