"""Modules import each other in one direction.

Imports under `if TYPE_CHECKING:` do not count: a DAG and its tasks name each other's types, but load one
after the other. The floors (`.importlinter`) count those too.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from tests.architecture.source_file import SourceFile, dotted, imported_names, source


def run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of `tree` that can run: all but what stands under `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            for other in node.orelse:
                yield other
                yield from run_nodes(other)
            continue
        yield node
        yield from run_nodes(node)


def import_graph(files: list[SourceFile]) -> dict[str, set[str]]:
    """Each module with the modules of `files` it imports; `from package import module` is an import of the module."""
    modules = {file.module for file in files}
    graph: dict[str, set[str]] = {}
    for file in files:
        names = {name for _, name in imported_names(file, run_nodes(file.tree))}
        found = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[file.module] = (found & modules) - {file.module}
    return graph


def import_cycle(files: list[SourceFile]) -> list[str]:
    """The modules of one cycle, each imported by the one before it; empty where there is none."""
    try:
        TopologicalSorter(import_graph(files)).prepare()
    except CycleError as cycle:
        path: list[str] = cycle.args[1]
        return path[::-1]
    return []


def test_no_modules_import_each_other_in_a_circle(sources: list[SourceFile]) -> None:
    assert " -> ".join(import_cycle(sources)) == ""


def test_a_circle_of_three_is_found_through_every_spelling() -> None:
    files = [
        source("flowd/a.py", "import flowd.b\n"),
        source("flowd/b.py", "from flowd import c\n"),
        source("flowd/c.py", "def late():\n    from flowd.a import thing\n"),
        source("flowd/__init__.py", ""),
    ]

    cycle = import_cycle(files)

    assert set(cycle) == {"flowd.a", "flowd.b", "flowd.c"}
    assert import_cycle([files[0], files[1], files[3]]) == []


def test_a_type_that_is_only_named_makes_no_circle() -> None:
    named = source("flowd/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from flowd.b import B\n")
    loaded = source("flowd/a.py", "if TYPE_CHECKING:\n    pass\nelse:\n    from flowd.b import B\n")
    back = source("flowd/b.py", "from flowd.a import A\n")

    assert import_cycle([named, back]) == []
    assert set(import_cycle([loaded, back])) == {"flowd.a", "flowd.b"}
