"""`flowd tasks`: the task instances of a run."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowd.cli.clearing import confirm_and_clear
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    ConfOption,
    DagIdOption,
    LatestOption,
    OutputOption,
    TestedDagArgument,
    TestedDateArgument,
    YesOption,
)
from flowd.cli.output import Format, note, show_rows
from flowd.cli.session import read_settings, read_settings_without_keys, with_backends, with_metastore
from flowd.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from flowd.actions.backends import Backends
    from flowd.db.metastore import Metastore
    from flowd.db.views.task_instances import InstanceView
    from flowd.domain.ids import InstanceKey

app = new_app("Tasks of a run.")

COLUMNS = ("task_id", "map_index", "state", "try_number", "operator", "started_at", "seconds", "worker")
FOLLOW_SECONDS = 0.5

DagArgument = Annotated[str, typer.Argument(help="The DAG.")]
RunArgument = Annotated[str, typer.Argument(help="The run's id.")]
TaskArgument = Annotated[str, typer.Argument(help="The task.")]
TryOption = Annotated[int | None, typer.Option("--try", "-t", help="Which try; the latest where none is given.")]
IndexOption = Annotated[int, typer.Option("--map-index", help="Which of a mapped task's instances; -1 is unmapped.")]


@app.command("list")
def list_tasks(dag_id: DagArgument, run_id: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """Show the task instances of a run."""
    from flowd.db.views.dag_cards import DagCards
    from flowd.db.views.listing import EVERY_ROW, OneOf
    from flowd.db.views.runs import get_run
    from flowd.db.views.task_instances import list_instances

    async def read(metastore: "Metastore") -> "list[InstanceView]":
        listing = EVERY_ROW.where(OneOf("dag_id", (dag_id,)), OneOf("run_id", (run_id,)))
        async with metastore.reading() as tx:
            await get_run(tx, DagCards(), dag_id, run_id)
            found, _ = await list_instances(tx, DagCards(), listing)
        return found

    rows = [_row(one) for one in with_metastore(read_settings_without_keys(), read)]
    show_rows(rows, COLUMNS, output, empty="No tasks yet: the run has not started.")


@app.command()
def logs(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    try_number: TryOption = None,
    map_index: IndexOption = -1,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has ended.")] = False,
) -> None:
    """Print what a task wrote."""
    from flowd.logs.paths import log_path

    settings = read_settings_without_keys()

    async def print_log(metastore: "Metastore") -> bool:
        view = await _instance(metastore, dag_id, run_id, task_id, map_index)
        number = try_number or max(1, view.try_number)
        path = log_path(settings.logs.folder, dag_id, run_id, task_id, map_index, number)
        start, found = await _print_from(path, 0)
        while follow and not view.state.is_finished and view.try_number <= number:
            await asyncio.sleep(FOLLOW_SECONDS)
            view = await _instance(metastore, dag_id, run_id, task_id, map_index)
            start, more = await _print_from(path, start)
            found = found or more
        return found

    if not with_metastore(settings, print_log):
        raise NotFound(
            f"{dag_id}.{task_id} in run {run_id} has written no log"
            f" below {settings.logs.folder}; `flowd tasks why {dag_id} {run_id} {task_id}` says whether it has run"
        )


@app.command()
def clear(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_ids: Annotated[list[str], typer.Argument(help="The tasks.")],
    downstream: Annotated[bool, typer.Option("--downstream", "-d", help="Also what follows them.")] = False,
    upstream: Annotated[bool, typer.Option("--upstream", "-u", help="Also what they follow.")] = False,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="Only what has failed.")] = False,
    latest: LatestOption = False,
    yes: YesOption = False,
) -> None:
    """Run tasks again."""
    from flowd.actions.clear_tasks import ClearSelection, clear_tasks
    from flowd.domain.ids import DagId, RunId, TaskId

    selection = ClearSelection(
        dag_id=DagId(dag_id),
        run_id=RunId(run_id),
        task_ids=[TaskId(task_id) for task_id in task_ids],
        include_downstream=downstream,
        include_upstream=upstream,
        only_failed=only_failed,
        run_on_latest_version=latest,
    )

    async def ask(backends: "Backends", dry_run: bool) -> "list[InstanceKey]":
        return await clear_tasks(backends, selection, dry_run=dry_run)

    confirm_and_clear(ask, run_id, yes)


@app.command()
def mark(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    state: Annotated[str, typer.Argument(help="success, failed or skipped.")],
    map_index: IndexOption = -1,
) -> None:
    """Say how a task ended."""
    from flowd.actions.mark import mark_tasks
    from flowd.domain.ids import DagId, RunId, TaskId
    from flowd.domain.states import TaskState

    wanted = next((one for one in TaskState if one.value == state), None)
    if wanted is None:
        raise InvalidInput(f"{state!r} is no state of a task; wanted success, failed or skipped")
    tasks = [(TaskId(task_id), map_index)]
    with_backends(read_settings(), lambda one: mark_tasks(one, DagId(dag_id), RunId(run_id), tasks, wanted))
    note(f"Task {task_id} in run {run_id} is {state}.")


@app.command()
def why(dag_id: DagArgument, run_id: RunArgument, task_id: TaskArgument, map_index: IndexOption = -1) -> None:
    """Say every reason why a task is not running now."""
    from flowd.actions.why import why as reasons_of
    from flowd.domain.ids import DagId, RunId, TaskId

    reasons = with_backends(
        read_settings(), lambda one: reasons_of(one, DagId(dag_id), RunId(run_id), TaskId(task_id), map_index)
    )
    for reason in reasons:
        print(reason)
    if not reasons:
        note("Nothing holds it back: it runs, or has ended well.")


async def _instance(metastore: "Metastore", dag_id: str, run_id: str, task_id: str, map_index: int) -> "InstanceView":
    from flowd.db.views.dag_cards import DagCards
    from flowd.db.views.task_instances import get_instance

    async with metastore.reading() as tx:
        return await get_instance(tx, DagCards(), dag_id, run_id, task_id, map_index)


async def _print_from(path: Path, start: int) -> tuple[int, bool]:
    """Print the log from this byte on; return where it ends now, and whether there is a log at all."""
    from flowd.logs.reader import LogReader

    is_there = False
    async for window in LogReader().windows(path, start):
        is_there = True
        start = window.end
        for line in window.lines:
            print(line)
    return start, is_there


def _row(view: "InstanceView") -> dict[str, Any]:
    seconds = view.duration_seconds
    return {
        "task_id": view.task_id,
        "map_index": view.map_index,
        "state": view.state.value,
        "try_number": view.try_number,
        "operator": view.operator,
        "started_at": view.started_at,
        "seconds": None if seconds is None else round(seconds, 3),
        "worker": view.worker,
    }


@app.command()
def test(
    dag: TestedDagArgument,
    task_id: TaskArgument,
    logical_date: TestedDateArgument = None,
    conf: ConfOption = None,
    dag_id: DagIdOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run one task in this process, whatever it waits for, and show how it ended; exit code 1 on failure.

    As `flowd dags test`. No other task has run, so there are no XComs to pull.
    """
    from flowd.cli.dag_test import show_test

    show_test(dag, logical_date, conf, dag_id=dag_id, task_id=task_id, output=output)
