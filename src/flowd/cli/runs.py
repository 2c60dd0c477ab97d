"""`flowd runs`: the runs of DAGs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowd.cli.clearing import confirm_and_clear
from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import LatestOption, OutputOption, YesOption
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.session import read_settings, read_settings_without_keys, with_backends, with_metastore
from flowd.domain.errors import InvalidInput

if TYPE_CHECKING:
    from flowd.actions.backends import Backends
    from flowd.db.metastore import Metastore
    from flowd.db.views.runs import RunView
    from flowd.domain.ids import InstanceKey

app = new_app("Runs of DAGs.")

COLUMNS = ("dag_id", "run_id", "state", "run_type", "started_at", "ended_at", "seconds")

DagArgument = Annotated[str, typer.Argument(help="The DAG.")]
RunArgument = Annotated[str, typer.Argument(help="The run's id.")]


@app.command("list")
def list_runs(
    dag_id: Annotated[str | None, typer.Argument(help="The DAG; all where none is given.")] = None,
    state: Annotated[str | None, typer.Option(help="Only runs in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many, the newest first.", min=1)] = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show runs, the newest first."""
    from flowd.db.views.dag_cards import DagCards
    from flowd.db.views.dags import get_dag
    from flowd.db.views.listing import Listing, OneOf, Order
    from flowd.db.views.runs import list_runs as runs_of
    from flowd.domain.states import RunState

    if state is not None and state not in {one.value for one in RunState}:
        raise InvalidInput(f"{state!r} is no state of a run; wanted {', '.join(one.value for one in RunState)}")
    listing = Listing(order_by=(Order("run_after", is_descending=True),), limit=limit)
    if dag_id is not None:
        listing = listing.where(OneOf("dag_id", (dag_id,)))
    if state is not None:
        listing = listing.where(OneOf("state", (state,)))

    async def read(metastore: "Metastore") -> "list[RunView]":
        async with metastore.reading() as tx:
            if dag_id is not None:
                await get_dag(tx, DagCards(), dag_id)
            found, _ = await runs_of(tx, DagCards(), listing)
        return found

    rows = [_row(one) for one in with_metastore(read_settings_without_keys(), read)]
    show_rows(rows, COLUMNS, output, empty="No runs: `flowd dags trigger DAG_ID` makes one.")


@app.command()
def show(dag_id: DagArgument, run_id: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one run."""
    from flowd.db.views.dag_cards import DagCards
    from flowd.db.views.runs import get_run

    async def read(metastore: "Metastore") -> "RunView":
        async with metastore.reading() as tx:
            return await get_run(tx, DagCards(), dag_id, run_id)

    view = with_metastore(read_settings_without_keys(), read)
    dates = {name: getattr(view, name) for name in ("logical_date", "data_interval_start", "data_interval_end")}
    more = {"conf": view.conf, "note": view.note, "version": view.version.number, "user": view.triggering_user}
    show_one({**_row(view), **dates, **more}, output)


@app.command()
def watch(
    dag_id: DagArgument,
    run_id: RunArgument,
    timeout: Annotated[float | None, typer.Option(help="Give up after so many seconds.")] = None,
) -> None:
    """Show what happens in a run until it has ended."""
    from flowd.cli.watch import watch as watch_run

    state = watch_run(read_settings_without_keys(), dag_id, run_id, timeout)
    note(f"Run {run_id} of {dag_id} ended as {state}.")
    raise typer.Exit(ExitCode.OK if state == "success" else ExitCode.FAILED)


@app.command()
def clear(
    dag_id: DagArgument,
    run_id: RunArgument,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="Only what has failed.")] = False,
    latest: LatestOption = False,
    yes: YesOption = False,
) -> None:
    """Run a run's tasks again: all of them, or those that failed."""
    from flowd.actions.clear_tasks import clear_run
    from flowd.domain.ids import DagId, RunId

    async def ask(backends: "Backends", dry_run: bool) -> "list[InstanceKey]":
        return await clear_run(
            backends,
            DagId(dag_id),
            RunId(run_id),
            only_failed=only_failed,
            run_on_latest_version=latest,
            dry_run=dry_run,
        )

    confirm_and_clear(ask, run_id, yes)


@app.command()
def mark(
    dag_id: DagArgument,
    run_id: RunArgument,
    state: Annotated[str, typer.Argument(help="success, failed or queued.")],
) -> None:
    """Say how a run ended."""
    from flowd.actions.mark import mark_run
    from flowd.domain.ids import DagId, RunId
    from flowd.domain.states import RunState

    wanted = next((one for one in RunState if one.value == state), None)
    if wanted is None:
        raise InvalidInput(f"{state!r} is no state of a run; wanted success, failed or queued")
    run = with_backends(read_settings(), lambda backends: mark_run(backends, DagId(dag_id), RunId(run_id), wanted))
    note(f"Run {run.run_id} of {run.dag_id} is {run.state}.")


@app.command()
def cancel(dag_id: DagArgument, run_id: RunArgument) -> None:
    """End a run: what runs is killed, what waits is skipped."""
    mark(dag_id, run_id, "failed")


def _row(view: "RunView") -> dict[str, Any]:
    seconds = view.duration_seconds
    return {
        "dag_id": view.dag_id,
        "run_id": view.run_id,
        "state": view.state.value,
        "run_type": view.run_type,
        "started_at": view.started_at,
        "ended_at": view.ended_at,
        "seconds": None if seconds is None else round(seconds, 3),
    }
