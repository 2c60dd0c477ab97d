"""Doors: the places where a node lets go of something for good: each commit, publish, ring, receipt, spool and start.

They are found in the source, so that a new agent has its failpoints the day it is written. A door is called
`<module>.<functions>.<kind>`: `dispatcher.pass.commit`. The same rule names a caller at run time, by its frame.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType

import flowd

SOURCE = Path(flowd.__file__).parent

ACK, DEAD_LETTER, SPOOL, START = "delivery.ack", "delivery.dead_letter", "spool.keeping", "keeper.start"
"""Doors with one place for all their users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """`role` is the role of the nodes that come through it: scheduler, worker, api, or any."""

    name: str
    role: str

    @property
    def kind(self) -> str:
        """What is let go of here: commit, publish, ring, ack …"""
        return self.name.rpartition(".")[2]


@cache
def catalogue() -> tuple[Door, ...]:
    """Return every door there is, in the order of the source."""
    found = {door.name: door for path in sorted(SOURCE.rglob("*.py")) for door in _doors_of(path)}
    for name in (ACK, DEAD_LETTER, SPOOL, START):
        found[name] = Door(name=name, role="worker")
    return tuple(found.values())


def doors_of(role: str, *kinds: str) -> list[str]:
    """Return the names of a role's doors, those of some kinds alone where any is given."""
    return [door.name for door in catalogue() if door.role == role and (not kinds or door.kind in kinds)]


def door_name(module: str, code: CodeType, kind: str) -> str:
    """Return the name of the door of this kind in the function that `code` belongs to."""
    return _name(module, [part for part in code.co_qualname.split(".") if part != "<locals>"], kind)


def _doors_of(path: Path) -> Iterator[Door]:
    module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
    for functions, call in _calls(ast.parse(path.read_text()), []):
        kind = _kind(call)
        if kind is not None:
            yield Door(name=_name(module, functions, kind), role=_role(module))


def _calls(node: ast.AST, functions: list[str]) -> Iterator[tuple[list[str], ast.Call]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield functions, child
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _calls(child, [*functions, child.name])
        else:
            yield from _calls(child, functions)


def _kind(call: ast.Call) -> str | None:
    match call.func:
        case ast.Attribute(attr="transaction"):
            return "commit"
        case ast.Attribute(
            attr="publish" | "ring" as kind, value=ast.Attribute(attr="queue" | "_queue") | ast.Name(id="queue")
        ):
            return kind
    return None


def _name(module: str, functions: list[str], kind: str) -> str:
    # Classes are left out: a file is one concept, and so is its class.
    words = [word.strip("_") for word in functions if not word[:1].isupper()]
    last = module.rpartition(".")[2]
    return ".".join([last, *(words[1:] if words[:1] == [last] else words), kind])


def _role(module: str) -> str:
    match module.split(".")[1:]:
        case ["roles", ("scheduler" | "worker") as role, *_]:
            return role
        case ["actions", "airflow_import", *_]:
            return "cli"  # no node passes here: a command imports, and is repeated where it was broken off
        case ["actions" | "api", *_]:
            return "api"
    return "any"
