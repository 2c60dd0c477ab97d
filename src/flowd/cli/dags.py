"""`flowd dags`: what the DAG folder defines, and when it runs."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    ConfOption,
    DagIdOption,
    OutputOption,
    TestedDagArgument,
    TestedDateArgument,
    conf_object,
)
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.session import read_settings, read_settings_without_keys, with_backends, with_metastore
from flowd.domain.errors import InvalidInput

if TYPE_CHECKING:
    from flowd.actions.backends import Backends
    from flowd.db.metastore import Metastore
    from flowd.db.views.dags import DagView
    from flowd.domain.dag_run import DagRun
    from flowd.domain.data_interval import NextRun

app = new_app("DAGs: what the DAG folder defines, and when it runs.")

COLUMNS = ("dag_id", "is_paused", "schedule", "next_run", "owners", "tags", "file", "has_import_errors")
UPCOMING = 5

DagArgument = Annotated[str, typer.Argument(help="The DAG.")]


@app.command("list")
def list_dags(
    output: OutputOption = Format.TABLE,
    all_: Annotated[bool, typer.Option("--all", help="Also those whose file is gone.")] = False,
) -> None:
    """Show the DAGs."""
    from flowd.db.views.dag_cards import DagCards
    from flowd.db.views.dags import list_dags as dags_of
    from flowd.db.views.listing import EVERY_ROW

    async def read(metastore: "Metastore") -> "list[DagView]":
        async with metastore.reading() as tx:
            found, _ = await dags_of(tx, DagCards(), EVERY_ROW)
        return [one for one in found if all_ or one.is_active]

    rows = [_row(one) for one in with_metastore(read_settings_without_keys(), read)]
    empty = "No DAGs: a scheduler puts them here; see `flowd config get dags.folder` and `flowd dags import-errors`."
    show_rows(rows, COLUMNS, output, empty=empty)


@app.command()
def show(dag_id: DagArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one DAG."""
    view = with_metastore(read_settings_without_keys(), lambda metastore: _view(metastore, dag_id))
    show_one(
        {
            **_row(view),
            "description": view.card.description,
            "version": view.version.number,
            "bundle": view.bundle[:12],
            "tasks": list(view.card.task_names),
            "max_active_runs": view.card.max_active_runs,
            "max_active_tasks": view.card.max_active_tasks,
            "parsed_at": view.parsed_at,
        },
        output,
    )


@app.command("import-errors")
def import_errors(output: OutputOption = Format.TABLE) -> None:
    """Show the DAG files that could not be read, and why."""
    from flowd.db.views.import_errors import list_import_errors
    from flowd.db.views.listing import EVERY_ROW

    async def read(metastore: "Metastore") -> list[dict[str, Any]]:
        async with metastore.reading() as tx:
            found, _ = await list_import_errors(tx, EVERY_ROW)
        return [{"file": one.file, "message": one.message} for one in found]

    rows = with_metastore(read_settings_without_keys(), read)
    if output is Format.TABLE:
        for row in rows:
            print(f"{row['file']}\n{row['message']}\n")
        if not rows:
            note("Every DAG file could be read.")
        return
    show_rows(rows, ("file", "message"), output)


@app.command()
def pause(dag_id: DagArgument) -> None:
    """Let a DAG make no runs and start no tasks; what runs goes on."""
    _set_paused(dag_id, True)


@app.command()
def unpause(dag_id: DagArgument) -> None:
    """Let a paused DAG go on."""
    _set_paused(dag_id, False)


@app.command("next")
def next_runs(dag_id: DagArgument, output: OutputOption = Format.TABLE) -> None:
    """Show when the DAG will run next."""
    from flowd.db.graphs import Graphs
    from flowd.db.latest import latest
    from flowd.db.schedules import planned
    from flowd.domain.ids import DagId
    from flowd.domain.timetable import upcoming

    async def read(metastore: "Metastore") -> "list[NextRun]":
        async with metastore.reading() as tx:
            current = await latest(tx, Graphs(), DagId(dag_id))
            first = await planned(tx, DagId(dag_id))
            now = await tx.now()
        if first is None:
            return []
        dag = current.graph.dag
        later = upcoming(
            dag.timetable,
            first.data_interval,
            start_date=dag.start_date or now,
            end_date=dag.end_date,
            catchup=dag.catchup,
            now=now,
            limit=UPCOMING - 1,
        )
        return [first, *later]

    rows = [
        {
            "run_after": one.run_after,
            "logical_date": one.logical_date,
            "data_interval_start": one.data_interval.start,
            "data_interval_end": one.data_interval.end,
        }
        for one in with_metastore(read_settings_without_keys(), read)
    ]
    columns = ("run_after", "logical_date", "data_interval_start", "data_interval_end")
    show_rows(rows, columns, output, empty=f"{dag_id} has no run planned; run it with: flowd dags trigger {dag_id}")


@app.command()
def trigger(
    dag_id: DagArgument,
    conf: ConfOption = None,
    run_id: Annotated[str | None, typer.Option("--run-id", "-r", help="The run's id; one is made up else.")] = None,
    logical_date: Annotated[str | None, typer.Option(help="As 2026-11-22T00:00:00Z; now where none is given.")] = None,
    note_: Annotated[str | None, typer.Option("--note", help="A word about the run.")] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Show what happens until the run has ended.")] = False,
    timeout: Annotated[float | None, typer.Option(help="With --wait: give up after so many seconds.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run a DAG now."""
    from flowd.actions.trigger_run import trigger_run
    from flowd.cli.watch import watch
    from flowd.domain.ids import DagId, RunId
    from flowd.domain.states import TriggeredBy

    given = conf_object(conf)
    # As when a person triggers it in Airflow: such a run is about now, and its templates have a date.
    date = _moment(logical_date) or datetime.now(UTC)

    async def ask(backends: "Backends") -> "DagRun":
        return await trigger_run(
            backends,
            dag_id=DagId(dag_id),
            run_id=RunId(run_id) if run_id is not None else None,
            logical_date=date,
            conf=given,
            note=note_,
            triggered_by=TriggeredBy.CLI,
            idempotency_key=key,
        )

    # Kept over a retry of the transaction: one command makes one run.
    key = f"cli:{uuid.uuid4().hex}"
    settings = read_settings()
    run = with_backends(settings, ask)
    row = {"dag_id": run.dag_id, "run_id": run.run_id, "state": run.state.value}
    if not wait:
        show_one(row, output)
        return
    note(f"Run {run.run_id} of {run.dag_id} is queued.")
    for hindrance in with_metastore(settings, lambda metastore: _hindrances(metastore, dag_id)):
        note(f"flowd: warning: {hindrance}")
    state = watch(settings, run.dag_id, run.run_id, timeout)
    show_one({**row, "state": state}, output)
    raise typer.Exit(ExitCode.OK if state == "success" else ExitCode.FAILED)


@app.command()
def test(
    dag: TestedDagArgument,
    logical_date: TestedDateArgument = None,
    conf: ConfOption = None,
    dag_id: DagIdOption = None,
    mark_success_pattern: Annotated[
        str | None, typer.Option(help="Tasks whose id this regular expression matches succeed without being executed.")
    ] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run a DAG once in this process, where a debugger works, and show how its tasks ended; exit code 1 on failure.

    Nothing is written to the metastore: the run has a ledger of its own, which is thrown away. The variables and
    connections of the metastore can be read. Retries follow at once. What tasks print is on stderr.
    """
    from flowd.cli.dag_test import show_test

    show_test(dag, logical_date, conf, dag_id=dag_id, mark_success_pattern=mark_success_pattern, output=output)


async def _hindrances(metastore: "Metastore", dag_id: str) -> list[str]:
    """Return why a run may wait for long: who watches it should know."""
    from flowd.db.views.health import heartbeats

    found: list[str] = []
    if (await _view(metastore, dag_id)).is_paused:
        found.append(f"DAG {dag_id} is paused, so the run waits; let it go on with: flowd dags unpause {dag_id}")
    async with metastore.reading() as tx:
        beats = await heartbeats(tx)
    missing = [role for role in ("scheduler", "worker") if role not in beats or not beats[role].is_healthy]
    found += [f"no {role} has been seen lately, so the run waits; start one with: flowd run" for role in missing]
    return found


async def _view(metastore: "Metastore", dag_id: str) -> "DagView":
    from flowd.db.views.dag_cards import DagCards
    from flowd.db.views.dags import get_dag

    async with metastore.reading() as tx:
        return await get_dag(tx, DagCards(), dag_id)


def _row(view: "DagView") -> dict[str, Any]:
    return {
        "dag_id": view.dag_id,
        "is_paused": view.is_paused,
        "schedule": view.card.timetable_summary,
        "next_run": view.next_run_after,
        "owners": list(view.card.owners),
        "tags": list(view.card.tags),
        "file": view.file,
        "has_import_errors": view.has_import_errors,
    }


def _set_paused(dag_id: str, is_paused: bool) -> None:
    from flowd.actions.pause_dag import set_paused
    from flowd.domain.ids import DagId

    with_backends(read_settings(), lambda backends: set_paused(backends, DagId(dag_id), is_paused))
    note(f"DAG {dag_id} is {'paused' if is_paused else 'unpaused'}.")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no date; write it as 2026-11-22T00:00:00Z") from error
    if moment.tzinfo is None:
        raise InvalidInput(f"{text!r} has no time zone; write it as {text}Z for UTC")
    return moment
