"""show_test: runs a DAG, or one task of it, in this process, and prints how the tasks ended."""

import os
import sys
from contextlib import redirect_stdout
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from flowd.cli.exit_codes import ExitCode
from flowd.cli.options import conf_object, moment_of
from flowd.cli.output import Format, note, show_rows
from flowd.cli.parse_files import parse_files
from flowd.cli.session import read_settings_without_keys
from flowd.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from flowd.sdk.dag import DAG
    from flowd.settings.model import Settings

COLUMNS = ("task_id", "map_index", "state", "try_number", "operator", "seconds")


def show_test(
    dag: str,
    logical_date: str | None,
    conf: str | None,
    *,
    dag_id: str | None,
    output: Format,
    task_id: str | None = None,
    mark_success_pattern: str | None = None,
) -> None:
    """Run it, print the table on stdout and all else on stderr, and exit with 1 where it failed."""
    given, date = conf_object(conf), date_of(logical_date)
    with redirect_stdout(sys.stderr):
        found = find_dag(read_settings_without_keys(), dag, dag_id)
    show_run(found, date, given, output=output, task_id=task_id, mark_success_pattern=mark_success_pattern)


def show_run(
    dag: "DAG",
    logical_date: datetime | None,
    conf: dict[str, object],
    *,
    output: Format,
    task_id: str | None = None,
    mark_success_pattern: str | None = None,
) -> None:
    """As `show_test`, of a DAG that this process has defined."""
    from flowd.local_run import run_dag, run_task

    with redirect_stdout(sys.stderr):
        if task_id is None:
            run = run_dag(dag, logical_date=logical_date, conf=conf, mark_success_pattern=mark_success_pattern)
        else:
            run = run_task(dag, task_id, logical_date=logical_date, conf=conf)
    rows = [
        {
            "task_id": one.task_id,
            "map_index": one.map_index,
            "state": one.state.value,
            "try_number": one.try_number,
            "operator": one.operator,
            "seconds": None if one.duration is None else round(one.duration, 3),
        }
        for one in run.tasks
    ]
    show_rows(rows, COLUMNS, output, empty="The DAG has no tasks.")
    note(f"Run {run.run_id} of {run.dag_id}: {run.state}.")
    raise typer.Exit(ExitCode.OK if run.state == "success" else ExitCode.FAILED)


def find_dag(settings: "Settings", name: str, dag_id: str | None = None) -> "DAG":
    """Return the DAG of this id in the DAG folder or, where `name` is a Python file, the one that it defines.

    The file is imported in this process; where it cannot be, its traceback is said and the exit code is 1. Raises
    NotFound where there is no such DAG, InvalidInput where a file has several and `dag_id` names none of them.
    """
    folder = str(settings.dags.folder.absolute())
    if os.path.isfile(name):
        path = os.path.abspath(name)
        is_inside = path.startswith(folder + os.sep)
        root = folder if is_inside else os.path.dirname(path)
        return _choose(_imported(root, os.path.relpath(path, root)), name, dag_id)
    if name.endswith(".py"):
        raise NotFound(f"there is no file {name}")
    return _choose(_imported(folder, _file_of(settings, folder, name)), name, name)


def _choose(dags: "list[DAG]", file: str, dag_id: str | None) -> "DAG":
    ids = [dag.dag_id for dag in dags]
    if not dags:
        raise NotFound(f"{file} defines no DAG")
    if dag_id is None and len(dags) > 1:
        raise InvalidInput(f"{file} defines {len(dags)} DAGs; choose one with --dag-id: {', '.join(sorted(ids))}")
    for dag in dags:
        if dag_id in (None, dag.dag_id):
            return dag
    raise NotFound(f"{file} defines no DAG {dag_id!r}; it defines {', '.join(sorted(ids))}")


def _imported(root: str, file: str) -> "list[DAG]":
    from flowd.child.outcome import describe
    from flowd.sdk.dag_file import load

    try:
        return load(root, file)
    except (Exception, SystemExit) as error:
        note(f"{file} cannot be imported:\n{describe(error)['traceback']}")
        raise typer.Exit(ExitCode.FAILED) from error


def _file_of(settings: "Settings", folder: str, dag_id: str) -> str:
    """Return the file that defines the DAG: those that name it are read first, each in a process of its own."""
    from flowd.roles.scheduler.dag_folder import DagFolder

    if not os.path.isdir(folder):
        raise NotFound(f"there is no DAG {dag_id!r}: the DAG folder {folder} does not exist; name a file instead")
    files = DagFolder(folder, most_bytes=settings.dags.max_bundle_size).scan().candidates
    naming = [file for file in files if _names(os.path.join(folder, file), dag_id)]
    for group in (naming, [file for file in files if file not in naming]):
        for file, parsed in parse_files(settings, folder, group).items():
            if dag_id in parsed.claimed:
                return file
    raise NotFound(f"no file in {folder} defines a DAG {dag_id!r}; `flowd lint {folder}` shows what each defines")


def _names(path: str, dag_id: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return dag_id in file.read()
    except OSError:
        return False


def date_of(text: str | None) -> datetime | None:
    """Return the moment that the text names, in UTC where it has no zone; raise InvalidInput where it names none."""
    return None if text is None else moment_of(text)
