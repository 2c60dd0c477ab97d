"""domain/ decides and does nothing else: no I/O, no async, no clock, no randomness, no library but cronsim."""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.architecture.source_file import SourceFile, dotted, imported_names, source

PLACE = "flowd/domain/"
LIBRARIES = {"cronsim", "flowd"}  # which of flowd it may import is .importlinter's business

# What the standard library offers that depends on the moment, the machine or chance.
IMPURE_MODULES = {
    "asyncio", "concurrent", "ctypes", "fcntl", "http", "io", "logging", "multiprocessing", "os", "pathlib", "queue",
    "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile",
    "threading", "time",
}  # fmt: skip
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
IMPURE_METHODS = {"now", "utcnow", "today", "uuid1", "uuid4"}


def impure_imports(file: SourceFile) -> Iterator[str]:
    for node, name in imported_names(file):
        top = name.partition(".")[0]
        if top in IMPURE_MODULES:
            yield file.at(node, f"imports {top}; take what it gives as an argument")
        elif top not in sys.stdlib_module_names and top not in LIBRARIES:
            yield file.at(node, f"imports {top}; domain stands on the standard library and cronsim alone")


def impure_code(file: SourceFile) -> Iterator[str]:
    for node in ast.walk(file.tree):
        match node:
            case ast.AsyncFunctionDef(name=name):
                yield file.at(node, f"async def {name}; decide here, do elsewhere")
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                yield file.at(node, f"calls {name}()")
            case ast.Call(func=ast.Attribute(attr=name) as called) if name in IMPURE_METHODS:
                yield file.at(node, f"calls {dotted(called)}(); take the instant or the id as an argument")


def impurities(files: list[SourceFile]) -> list[str]:
    domain = [file for file in files if file.is_under(PLACE)]
    return [finding for file in domain for check in (impure_imports, impure_code) for finding in check(file)]


def test_the_domain_is_pure(sources: list[SourceFile]) -> None:
    assert impurities(sources) == []


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio",
        "import os.path",
        "from random import choice",
        "from time import time",
        "import sqlalchemy",
        "from datetime import datetime\nNOW = datetime.now()",
        "import datetime\ndef due(): return datetime.datetime.utcnow()",
        "import uuid\ndef token(): return uuid.uuid4()",
        "def read(path): return open(path)",
        "async def advance(): ...",
    ],
)
def test_what_depends_on_the_moment_the_machine_or_chance_is_found(text: str) -> None:
    assert len(impurities([source("flowd/domain/lease.py", text)])) == 1
    assert impurities([source("flowd/roles/lease.py", text)]) == []


def test_the_standard_library_and_cronsim_are_welcome() -> None:
    text = (
        "import uuid\nfrom datetime import datetime\nfrom cronsim import CronSim\nfrom flowd.domain.ids import DagId\n"
    )

    assert impurities([source("flowd/domain/timetable.py", text)]) == []
