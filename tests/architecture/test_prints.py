"""Only the command line prints; everything else logs or returns."""

import ast

from tests.architecture.source_file import SourceFile, source

PLACE = "flowd/cli/"


def prints(files: list[SourceFile]) -> list[str]:
    return [
        file.at(node, "print(); log an event instead")
        for file in files
        if not file.is_under(PLACE)
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def test_nothing_outside_the_command_line_prints(sources: list[SourceFile]) -> None:
    assert prints(sources) == []


def test_a_print_is_found_outside_the_command_line_only() -> None:
    text = "def show():\n    print('done')\n"

    assert prints([source("flowd/api/app.py", text)]) == ["flowd/api/app.py:2: print(); log an event instead"]
    assert prints([source("flowd/cli/dags.py", text)]) == []
