"""Every asyncio task belongs to a TaskGroup: a task that nobody holds can vanish, and its exception with it."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source_file import SourceFile, dotted, source

# file -> why it starts a task outside a TaskGroup
REASONS: dict[str, str] = {
    "flowd/child/loop_channel.py": "the calling thread waits for what it starts in the loop of another",
    "flowd/local_run/loop_thread.py": "the calling thread waits for what it starts in the loop of another",
}

STARTERS = {"create_task", "ensure_future", "run_coroutine_threadsafe"}


def group_names(tree: ast.Module) -> set[str]:
    """What this file binds a TaskGroup to: `as` of a `with`, annotations, and names assigned from those."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.withitem(context_expr=ast.Call(func=func), optional_vars=ast.Name(id=name)) if is_group(func):
                names.add(name)
            case ast.arg(arg=name, annotation=ast.expr() as annotation) if is_group(annotation):
                names.add(name)
            case ast.AnnAssign(target=target, annotation=annotation) if is_group(annotation):
                names.add(dotted(target))
    return names | {
        dotted(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (is_group_call(node.value) or dotted(node.value) in names)
        for target in node.targets
    }


def is_group(node: ast.expr) -> bool:
    return any(dotted(part).rpartition(".")[2] == "TaskGroup" for part in ast.walk(node))


def is_group_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "TaskGroup"


def ownerless(file: SourceFile) -> Iterator[str]:
    # A field declared as `tasks: TaskGroup` is used as `self.tasks`.
    groups = group_names(file.tree)
    groups |= {f"self.{name}" for name in groups}
    for node in ast.walk(file.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in STARTERS:
                yield file.at(node, f"bare {name}(); start it in a TaskGroup")
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in STARTERS:
                if dotted(owner) not in groups:
                    yield file.at(node, f"{dotted(owner) or '...'}.{name}() is not a TaskGroup's")


def ownerless_tasks(files: list[SourceFile]) -> list[str]:
    return [finding for file in files if str(file.path) not in REASONS for finding in ownerless(file)]


def test_every_task_is_started_in_a_task_group(sources: list[SourceFile]) -> None:
    assert ownerless_tasks(sources) == []


@pytest.mark.parametrize(
    "text",
    [
        "asyncio.create_task(work())",
        "from asyncio import ensure_future\nensure_future(work())",
        "asyncio.get_running_loop().create_task(work())",
        "self._loop.create_task(work())",
    ],
)
def test_a_task_without_an_owner_is_found(text: str) -> None:
    assert len(ownerless_tasks([source("flowd/roles/loop.py", text)])) == 1


@pytest.mark.parametrize(
    "text",
    [
        "async def f():\n    async with asyncio.TaskGroup() as tg:\n        tg.create_task(work())",
        "def f(tasks: asyncio.TaskGroup | None) -> None:\n    tasks.create_task(work())",
        "class A:\n    tasks: TaskGroup\n    def f(self):\n        self.tasks.create_task(work())",
        "def __init__(self, g: TaskGroup):\n    self._g = g\ndef f(self):\n    self._g.create_task(work())",
    ],
)
def test_a_task_of_a_task_group_is_welcome(text: str) -> None:
    assert ownerless_tasks([source("flowd/roles/loop.py", text)]) == []
