"""`flowd backfill`: runs of DAGs for past dates."""

import time
from typing import Annotated, Any

import typer

from flowd.cli.client.current import api
from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OutputOption, TimeoutOption, conf_object, moment_text
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.progress import progress_bar

app = new_app("Runs of DAGs for past dates.")

COLUMNS = ("id", "dag_id", "from_date", "to_date", "is_paused", "dates", "handled", "completed_at")
LOOK_SECONDS = 0.5

BackfillArgument = Annotated[int, typer.Argument(metavar="BACKFILL_ID", help="The backfill's number.", min=0)]


@app.command()
def create(
    dag_id: Annotated[str, typer.Option("--dag-id", help="The DAG.")],
    from_date: Annotated[
        str, typer.Option("--from-date", help="The first date, as 2026-11-22; in UTC without a zone.")
    ],
    to_date: Annotated[str, typer.Option("--to-date", help="The last date; it is included.")],
    dag_run_conf: Annotated[
        str | None, typer.Option("--dag-run-conf", help="A JSON object that the tasks of each run see.")
    ] = None,
    run_backwards: Annotated[bool, typer.Option("--run-backwards", help="The latest date first.")] = False,
    max_active_runs: Annotated[
        int, typer.Option("--max-active-runs", help="How many of its runs run at a time.", min=1)
    ] = 10,
    reprocess_behavior: Annotated[
        str,
        typer.Option("--reprocess-behavior", help="Which finished runs run again: none, failed or completed (all)."),
    ] = "none",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the dates.")] = False,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Show how far it is until it has ended.")] = False,
    timeout: TimeoutOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a run for each date of a DAG's schedule between two dates; a scheduler does it."""
    body = {
        "dag_id": dag_id,
        "from_date": moment_text(from_date),
        "to_date": moment_text(to_date),
        "dag_run_conf": None if dag_run_conf is None else conf_object(dag_run_conf, "--dag-run-conf"),
        "run_backwards": run_backwards,
        "max_active_runs": max_active_runs,
        "reprocess_behavior": reprocess_behavior,
    }
    if dry_run:
        rows = api().call("POST /api/v2/backfills/dry_run", body=body)["backfills"]
        show_rows(rows, ("logical_date",), output, empty="No run would be made: each date has one.")
        return
    made = api().call("POST /api/v2/backfills", body=body)
    if wait:
        _follow(made["id"], timeout, output)
        return
    show_one(made, output)
    note(f"A scheduler makes its runs; `flowd backfill show {made['id']}` says how far it is.")


@app.command("list")
def list_backfills(
    dag_id: Annotated[str | None, typer.Argument(help="The DAG; all where none is given.")] = None,
    limit: LimitOption = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show backfills, the newest first."""
    if dag_id is not None:
        api().call("GET /api/v2/dags/{dag_id}", dag_id=dag_id)  # a name that is none is a mistake, not an empty list
    query = {"dag_id": dag_id, "order_by": "-id"}
    rows = api().listed("GET /api/v2/backfills", "backfills", limit=limit, query=query)
    show_rows(rows, COLUMNS, output, empty="No backfills: `flowd backfill create` makes one.")


@app.command()
def show(backfill_id: BackfillArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one backfill, and what became of its dates."""
    show_one(_backfill(backfill_id), output)


@app.command()
def watch(backfill_id: BackfillArgument, timeout: TimeoutOption = None, output: OutputOption = Format.TABLE) -> None:
    """Show how far a backfill is until it has ended."""
    _follow(backfill_id, timeout, output)


@app.command()
def pause(backfill_id: BackfillArgument) -> None:
    """Start no more runs of a backfill; what runs goes on."""
    api().call("PUT /api/v2/backfills/{backfill_id}/pause", backfill_id=backfill_id)
    note(f"Backfill {backfill_id} is paused.")


@app.command()
@app.command("unpause", hidden=True)
def resume(backfill_id: BackfillArgument) -> None:
    """Let a paused backfill go on."""
    api().call("PUT /api/v2/backfills/{backfill_id}/unpause", backfill_id=backfill_id)
    note(f"Backfill {backfill_id} goes on.")


@app.command()
def cancel(backfill_id: BackfillArgument) -> None:
    """End a backfill: its queued runs are failed, what runs goes on."""
    api().call("PUT /api/v2/backfills/{backfill_id}/cancel", backfill_id=backfill_id)
    note(f"Backfill {backfill_id} is cancelled.")


def _backfill(backfill_id: int) -> dict[str, Any]:
    found: dict[str, Any] = api().call("GET /api/v2/backfills/{backfill_id}", backfill_id=backfill_id)
    return found


def _follow(backfill_id: int, timeout_seconds: float | None, output: Format) -> None:
    """Show a bar of the dates whose run has ended, and the backfill when all have."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with progress_bar() as bar:
        task = bar.add_task(f"Backfill {backfill_id}", total=None)
        while True:
            found = _backfill(backfill_id)
            runs = found["runs"]
            waiting = runs.get("queued", 0) + runs.get("running", 0)
            bar.update(task, total=found["dates"], completed=max(0, (found["handled"] or 0) - waiting))
            if found["completed_at"] is not None:
                break
            if deadline is not None and time.monotonic() >= deadline:
                note(f"Backfill {backfill_id} goes on after {timeout_seconds:g} seconds, without you.")
                raise typer.Exit(ExitCode.TIMED_OUT)
            time.sleep(LOOK_SECONDS)
    show_one(found, output)
    raise typer.Exit(ExitCode.FAILED if runs.get("failed") else ExitCode.OK)
