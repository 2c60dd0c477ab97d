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


def show_rows(rows: Sequence[Row], columns: Sequence[str], form: Format, *, empty: str = "Nothing to show.") -> None:
    """Print these columns of the rows. A table of no rows says `empty` on stderr; the other forms are for programs."""
    match form:
        case Format.JSON:
            print(_json([{name: row[name] for name in columns} for row in rows]))
        case Format.YAML:
            print("\n".join(_yaml_item({name: row[name] for name in columns}) for row in rows) or "[]")
        case Format.PLAIN:
            for row in rows:
                print("\t".join(_one_line(_cell(row[name])) for name in columns))
        case Format.TABLE if rows:
            print(_table([[_one_line(_cell(row[name])) for name in columns] for row in rows], columns))
        case Format.TABLE:
            note(empty)


def show_one(row: Row, form: Format) -> None:
    """Print one thing: a line for each of its properties."""
    match form:
        case Format.JSON:
            print(_json(row))
        case Format.YAML:
            print(_yaml(row))
        case Format.PLAIN:
            for name, value in row.items():
                print(f"{name}\t{_one_line(_cell(value))}")
        case Format.TABLE:
            width = max(map(len, row))
            for name, value in row.items():
                print(f"{_bold(name.ljust(width))}  {_cell(value)}".rstrip())


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
        case list() | tuple():
            return ",".join(_cell(item) for item in value)
        case dict():
            return _json(value, indent=None)
        case _:
            return str(value)


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
