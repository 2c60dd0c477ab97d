"""Task instances and runs are written through one door, flowd/db/ledger/, so that no transition goes unguarded.

An UPDATE or INSERT of either table is looked for as SQLAlchemy (`update(task_instance)`, `tables.dag_run.insert()`, a
dialect's insert, an alias) and as SQL text, in every module outside the door.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.source_file import SourceFile, dotted, source

DOOR = "flowd/db/ledger/"
TABLES = {"task_instance", "dag_run"}
WRITES = re.compile(r"(^|_)(update|insert|merge|replace)$")
SQL = re.compile(r"\b(UPDATE|INTO)\s+[\"`]?(task_instance|dag_run)s?\b", re.IGNORECASE)


def table_names(file: SourceFile) -> set[str]:
    """The last names by which this file calls the guarded tables, its own aliases included."""
    names = set(TABLES)
    for node in ast.walk(file.tree):
        match node:
            case ast.ImportFrom(names=aliases):
                names |= {alias.asname for alias in aliases if alias.asname and alias.name in TABLES}
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if last_name(value) in TABLES:
                names.add(name)
    return names


def last_name(node: ast.AST) -> str:
    return dotted(node).rpartition(".")[2]


def statements(file: SourceFile) -> Iterator[str]:
    names = table_names(file)
    for node in ast.walk(file.tree):
        match node:
            case ast.Call(func=func, args=[table, *_]) if WRITES.search(last_name(func)) and last_name(table) in names:
                yield file.at(node, f"{last_name(func)}({dotted(table)})")
            case ast.Call(func=ast.Attribute(value=table, attr=verb)) if (
                WRITES.search(verb) and last_name(table) in names
            ):
                yield file.at(node, f"{dotted(table)}.{verb}()")


def sql_texts(file: SourceFile) -> Iterator[str]:
    prose = {id(node.value) for node in ast.walk(file.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(file.tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in prose and (found := SQL.search(text)):
                yield file.at(node, f"SQL text {found.group()!r}")


def writes_past_the_door(files: list[SourceFile]) -> list[str]:
    outside = [file for file in files if not file.is_under(DOOR)]
    return [finding for file in outside for look in (statements, sql_texts) for finding in look(file)]


def test_only_the_ledger_writes_task_instances_and_runs(sources: list[SourceFile]) -> None:
    assert writes_past_the_door(sources) == []


@pytest.mark.parametrize(
    "text",
    [
        "stmt = update(task_instance).values(state='success')",
        "stmt = sa.insert(tables.dag_run).values(state='queued')",
        "stmt = tables.task_instance.update().where(x)",
        "stmt = sqlite_insert(dag_run).on_conflict_do_nothing()",
        "from flowd.db.tables import task_instance as ti\nstmt = update(ti)",
        "t = tables.task_instance\nstmt = update(t)",
        "stmt = text('update task_instance set state = :s')",
        "stmt = text(f'INSERT INTO dag_run ({columns}) VALUES (:s)')",
    ],
)
def test_a_write_past_the_door_is_found_however_it_is_spelt(text: str) -> None:
    assert len(writes_past_the_door([source("flowd/actions/clear_tasks.py", text)])) == 1
    assert writes_past_the_door([source("flowd/db/ledger/save.py", text)]) == []


def test_reads_other_tables_and_prose_are_no_writes() -> None:
    text = '"""Every UPDATE task_instance is guarded."""\nselect(task_instance)\nupdate(pool)\ndigest.update(dag)\n'

    assert writes_past_the_door([source("flowd/db/pools.py", text)]) == []
