"""Printing data: the same rows for people and for programs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from flowd.cli.output import Format, show_one, show_rows

ROWS: list[dict[str, Any]] = [
    {"name": "a", "count": 10, "is_on": True, "note": "two\nlines", "hidden": 1},
    {"name": "long name", "count": None, "is_on": False, "note": "", "hidden": 2},
]
COLUMNS = ("name", "count", "is_on", "note")


def printed(capsys: pytest.CaptureFixture[str], form: Format) -> str:
    show_rows(ROWS, COLUMNS, form)
    return capsys.readouterr().out


def test_a_table_is_aligned_and_has_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, Format.TABLE).splitlines() == [
        "name       count  is_on  note",
        "a          10     true   two\\nlines",
        "long name         false",
    ]


def test_plain_is_for_cut_and_awk(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, Format.PLAIN) == "a\t10\ttrue\ttwo\\nlines\nlong name\t\tfalse\t\n"


def test_json_is_all_of_each_row_with_its_types(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(printed(capsys, Format.JSON)) == ROWS


def test_a_column_has_a_name_of_its_own_and_reaches_into_what_may_not_be_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows: list[dict[str, Any]] = [{"last": {"at": "2026-11-27T01:02:03.456789Z"}}, {"last": None}]

    show_rows(rows, ["seen:last.at"], Format.TABLE)
    show_rows(rows, ["seen:last.at"], Format.PLAIN)

    assert capsys.readouterr().out == "seen\n2026-11-27T01:02:03Z\n\n2026-11-27T01:02:03.456789Z\n\n"


def test_yaml_quotes_what_would_be_read_as_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(
        [{"a": "plain text", "b": "yes", "c": "1", "d": "x: y", "e": "", "f": None, "g": [1, "b"]}],
        "abcdefg",
        Format.YAML,
    )

    assert capsys.readouterr().out.splitlines() == [
        "- a: plain text",
        '  b: "yes"',
        '  c: "1"',
        '  d: "x: y"',
        '  e: ""',
        "  f: null",
        '  g: [1, "b"]',
    ]


def test_nothing_is_said_apart_from_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([], COLUMNS, Format.TABLE, empty="No pools yet.")
    assert capsys.readouterr() == ("", "No pools yet.\n")

    for form, text in ((Format.JSON, "[]\n"), (Format.YAML, "[]\n"), (Format.PLAIN, "")):
        show_rows([], COLUMNS, form, empty="No pools yet.")
        assert capsys.readouterr() == (text, "")


def test_one_thing_has_a_line_for_each_property(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"at": datetime(2026, 11, 22, 12, 0, tzinfo=UTC), "tags": ["a", "b"], "conf": {"k": 1}}

    show_one(row, Format.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "at    2026-11-22T12:00:00+00:00",
        "tags  a,b",
        'conf  {"k": 1}',
    ]
    show_one(row, Format.JSON)
    assert json.loads(capsys.readouterr().out) == {
        "at": "2026-11-22T12:00:00+00:00",
        "tags": ["a", "b"],
        "conf": {"k": 1},
    }
