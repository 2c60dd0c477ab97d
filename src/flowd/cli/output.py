"""Printing: data on stdout as a table, JSON, YAML or bare columns; everything said to a person on stderr."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

BOLD, RESET = "\x1b[1m", "\x1b[0m"

_PLAIN_YAML = re.compile(r"[A-Za-z_/][\w ./@+-]*(?<! )")
_FRACTION = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+(Z|[+-]\d\d:\d\d)$")
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


class Format(StrEnum):
    """How data is printed: `plain` is a line a row, with tabs and no header, for scripts."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    PLAIN = "plain"


Row = Mapping[str, Any]


def note(text: str) -> None:
    """Say something to the person at the terminal, apart from the data."""
    print(text, file=sys.stderr)


def note_problems(rows: Sequence[Row]) -> None:
    """Say what is wrong with some of the rows."""
    for row in rows:
        if row["problem"]:
            note(f"flowd: warning: {row['problem']}")


def show_rows(rows: Sequence[Row], columns: Sequence[str], form: Format, *, empty: str = "Nothing to show.") -> None:
    """Print the rows: all of each as JSON and YAML, these columns of them as a table and plain.

    A column is the name of a field, or `header:field.of.field`. A table of no rows says `empty` on stderr.
    """
    match form:
        case Format.JSON:
            print(_json(list(rows)))
        case Format.YAML:
            print("\n".join(_yaml_item(row) for row in rows) or "[]")
        case Format.PLAIN:
            for row in rows:
                print("\t".join(_one_line(_cell(_value(row, name))) for name in columns))
        case Format.TABLE if rows:
            cells = [[_one_line(_for_eyes(_cell(_value(row, name)))) for name in columns] for row in rows]
            print(_table(cells, [name.partition(":")[0] for name in columns]))
        case Format.TABLE:
            note(empty)


def show_one(row: Row, form: Format) -> None:
    """Print one thing, a line for each of its properties; a table leaves out those that are not set."""
    match form:
        case Format.JSON:
            print(_json(row))
        case Format.YAML:
            print(_yaml(row))
        case Format.PLAIN:
            for name, value in row.items():
                print(f"{name}\t{_one_line(_cell(value))}")
        case Format.TABLE:
            shown = {name: value for name, value in row.items() if value is not None}
            width = max(map(len, shown), default=0)
            for name, value in shown.items():
                print(f"{_bold(name.ljust(width))}  {_for_eyes(_cell(value))}".rstrip())


def show_summary(row: Row, columns: Sequence[str], form: Format) -> None:
    """Print one thing, all of it as JSON and YAML, and else only these columns, a line for each."""
    is_whole = form in (Format.JSON, Format.YAML)
    show_one(row if is_whole else {name.partition(":")[0]: _value(row, name) for name in columns}, form)


def _value(row: Row, column: str) -> Any:
    """What a column shows of a row; None where something on the way is not set."""
    value: Any = row
    for name in column.rpartition(":")[2].split("."):
        value = value[name] if value is not None else None
    return value


def _table(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    widths = [max(len(name), *(len(line[index]) for line in cells)) for index, name in enumerate(columns)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    header = "  ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True)).rstrip()
    return "\n".join([_bold(header), *lines])


def _bold(text: str) -> str:
    has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"{BOLD}{text}{RESET}" if has_colour else text


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(timespec="seconds")
        case [{"name": str()}, *_]:
            return ",".join(item["name"] for item in value)
        case list() | tuple():
            return ",".join(_cell(item) for item in value)
        case dict():
            return _json(value, indent=None)
        case _:
            return str(value)


def _for_eyes(text: str) -> str:
    """Moments to the second: fractions are for programs."""
    return _FRACTION.sub(r"\1\2", text)


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


def _json(value: Any, indent: int | None = 2) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=_cell)


def _yaml_item(row: Row) -> str:
    return "- " + _yaml(row).replace("\n", "\n  ")


def _yaml(row: Row) -> str:
    """A mapping in block style; what is nested in it in flow style, which is JSON."""
    return "\n".join(f"{_yaml_scalar(name)}: {_yaml_scalar(value)}" for name, value in row.items()) or "{}"


def _yaml_scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN_YAML.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return str(value)
    return _json(value, indent=None)
