"""FunctionSource: the text of a function, for an interpreter that has not imported its file."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flowd.domain.errors import InvalidDag

_OURS = ("task", "setup", "teardown")
"""Decorators that make a task of the function: the interpreter that runs it does not have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSource:
    """`text` defines `name` and begins on `line` of `file`."""

    name: str
    text: str
    line: int
    file: str


def check_function(function: Any, where: str) -> None:
    """Raise InvalidDag for what cannot be taken out of its file: anything but a function made with `def`."""
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        raise InvalidDag(
            f"{where}: python_callable is {function!r}; what runs in another interpreter must be a function made with "
            "def, with its imports within it"
        )


def source_of(function: Callable[..., Any]) -> FunctionSource:
    """Return the function's text without the decorators that make it a task; raise OSError where no file has it."""
    lines, first = inspect.getsourcelines(function)
    text = textwrap.dedent("".join(lines))
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    kept = [one for one in node.decorator_list if _root(one) not in _OURS]
    above = [f"@{ast.get_source_segment(text, one)}\n" for one in kept]
    rest = text.splitlines(keepends=True)[node.lineno - 1 :]
    return FunctionSource(
        name=node.name,
        text="".join([*above, *rest]),
        line=first + node.lineno - 1 - len(above),
        file=inspect.getsourcefile(function) or "<function>",
    )


def _root(decorator: ast.expr) -> str:
    """Return the first name of a decorator: `task` of `@task.virtualenv(…)`, or of `@airflow.decorators.task`."""
    node: ast.AST = decorator.func if isinstance(decorator, ast.Call) else decorator
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    names.append(getattr(node, "id", ""))
    return next((name for name in reversed(names) if name in _OURS), names[-1])
