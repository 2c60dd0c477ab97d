"""Python source as the architecture rules see it: a path, its text and its syntax tree, never imported."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE_ROOT = REPOSITORY / "src"


@dataclass(frozen=True)
class SourceFile:
    """One module. `path` is relative to the source root: `flowd/db/engine.py`."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def module(self) -> str:
        """The dotted name; a package's `__init__.py` has the package's name."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def line_count(self) -> int:
        return len(self.text.splitlines())

    def is_under(self, place: str) -> bool:
        """Whether this is the file `place`, or lies in the folder `place` where that ends with a slash."""
        return str(self.path).startswith(place) if place.endswith("/") else str(self.path) == place

    def at(self, node: ast.AST, what: str) -> str:
        """A finding: where, and what was found there."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"


def source(path: str, text: str) -> SourceFile:
    """A made-up file, for the bad examples."""
    return SourceFile(PurePosixPath(path), text)


def read_sources(root: Path = SOURCE_ROOT) -> list[SourceFile]:
    """Every Python file under `root`, in path order."""
    return [
        SourceFile(PurePosixPath(path.relative_to(root).as_posix()), path.read_text(encoding="utf-8"))
        for path in sorted(root.rglob("*.py"))
    ]


def imported_names(file: SourceFile, nodes: Iterable[ast.AST] | None = None) -> Iterator[tuple[ast.AST, str]]:
    """Each imported dotted name with its node: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`."""
    for node in ast.walk(file.tree) if nodes is None else nodes:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node, alias.name
            case ast.ImportFrom(module=module, names=names, level=0):
                for alias in names:
                    yield node, f"{module}.{alias.name}"


def dotted(node: ast.AST) -> str:
    """`a.b.c` for a name or a chain of attributes, "" for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            front = dotted(value)
            return f"{front}.{attr}" if front else ""
        case _:
            return ""
