"""`flowd runs`: the runs of DAGs."""

from typing import Annotated, Any

import typer

from flowd.cli.bulk import bulk
from flowd.cli.client.current import api
from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    DagArgument,
    LatestOption,
    LimitOption,
    OrderOption,
    OutputOption,
    RunArgument,
    SinceOption,
    TimeoutOption,
    UntilOption,
    YesOption,
    confirm,
    moment_text,
)
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.run_log import print_run_log
from flowd.cli.watch import watch as watch_run
from flowd.domain.errors import NotFound

app = new_app("Runs of DAGs.")

COLUMNS = ("dag_id", "run_id:dag_run_id", "state", "run_type", "start_date", "end_date", "duration")
NEWEST_FIRST = "-run_after"

RunsArgument = Annotated[list[str], typer.Argument(metavar="RUN_ID...", help="The ids of runs.")]


@app.command("list")
def list_runs(
    dag_id: Annotated[str, typer.Argument(metavar="[DAG_ID]", help="The DAG; all where none is given.")] = "~",
    state: Annotated[list[str] | None, typer.Option("--state", help="Only in this state; may be repeated.")] = None,
    run_type: Annotated[
        list[str] | None, typer.Option("--type", help="scheduled, manual, backfill, asset_triggered …")
    ] = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="Only where the id contains this.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Only what this user has triggered.")] = None,
    conf: Annotated[str | None, typer.Option("--conf-contains", help="Only where conf contains this.")] = None,
    partition_key: Annotated[str | None, typer.Option("--partition-key", help="Only of this partition.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    order_by: OrderOption = NEWEST_FIRST,
    limit: LimitOption = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show runs, the newest first."""
    query = {
        "cursor": "",
        "state": state,
        "run_type": run_type,
        "run_id_pattern": run_id,
        "triggering_user_name_pattern": user,
        "conf_contains": conf,
        "partition_key": partition_key,
        "run_after_gte": moment_text(since),
        "run_after_lte": moment_text(until),
        "order_by": order_by,
    }
    rows = api().listed("GET /api/v2/dags/{dag_id}/dagRuns", "dag_runs", limit=limit, query=query, dag_id=dag_id)
    show_rows(rows, COLUMNS, output, empty="No runs: `flowd dags trigger DAG_ID` makes one.")


@app.command()
@app.command("state", hidden=True)
def show(dag_id: DagArgument, run_id: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one run."""
    show_one(_run(dag_id, run_id), output)


@app.command()
def watch(dag_id: DagArgument, run_id: RunArgument, timeout: TimeoutOption = None) -> None:
    """Show what happens in a run until it has ended; exit code 1 where it failed."""
    _exit_as(run_id, dag_id, watch_run(dag_id, run_id, timeout)["state"])


@app.command()
def wait(
    dag_id: DagArgument,
    run_id: RunArgument,
    result: Annotated[
        list[str] | None, typer.Option("--result", help="Print what this task returned; may be repeated.")
    ] = None,
    interval: Annotated[float, typer.Option("--interval", help="Seconds between looks.", min=0.1)] = 1.0,
) -> None:
    """Wait until a run has ended, and print what tasks returned as JSON; exit code 1 where it failed."""
    last: dict[str, Any] = {}
    for last in api().lines(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/wait",
        query={"interval": interval, "result": result},
        dag_id=dag_id,
        dag_run_id=run_id,
    ):
        if "detail" in last:
            raise NotFound(last["detail"])
    if result:
        show_one(last.get("results", {}), Format.JSON)
    _exit_as(run_id, dag_id, last["state"])


@app.command()
def logs(
    dag_id: DagArgument,
    run_id: RunArgument,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="Only of tasks in this state; may be repeated.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
) -> None:
    """Print what all tasks of a run wrote, each line behind its task; followed, exit code 1 where it failed."""
    ended = print_run_log(dag_id, run_id, states=state, is_followed=follow)
    if follow:
        _exit_as(run_id, dag_id, ended)


@app.command()
def why(dag_id: DagArgument, run_id: RunArgument) -> None:
    """Say why the tasks of a run that have not ended are not running now."""
    for one in _instances(dag_id, run_id):
        if one["end_date"] is None:
            answer = api().call(
                "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/why",
                query={"map_index": one["map_index"]},
                dag_id=dag_id,
                dag_run_id=run_id,
                task_id=one["task_id"],
            )
            index = f"[{one['map_index']}]" if one["map_index"] >= 0 else ""
            for reason in answer["reasons"]:
                print(f"{one['task_id']}{index}: {reason}")


@app.command()
def clear(
    dag_id: DagArgument,
    run_ids: RunsArgument,
    only_failed: Annotated[bool, typer.Option("--only-failed", help="Only what has failed.")] = False,
    latest: LatestOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run again.")] = False,
    note_: Annotated[str | None, typer.Option("--note", help="A word about it, kept with the runs.")] = None,
    yes: YesOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run the tasks of runs again: all of them, or those that failed."""
    body = {"only_failed": only_failed, "run_on_latest_version": latest, "note": note_}
    found = _clear(dag_id, run_ids, {**body, "dry_run": True})["task_instances"]
    if dry_run:
        show_rows(found, ("run_id:dag_run_id", "task_id", "map_index", "state"), output, empty="Nothing to clear.")
    elif not found:
        note("Nothing to clear.")
    else:
        confirm(f"Clear {len(found)} task instances of {', '.join(run_ids)}?", yes)
        _clear(dag_id, run_ids, {**body, "dry_run": False})
        note(f"Cleared {len(found)} task instances.")


@app.command("clear-partitions", hidden=True)
def clear_partitions(dag_id: DagArgument) -> None:
    """Ask for the runs of a DAG's partitions to run again, which flowd refuses: runs are cleared by their ids."""
    found = api().call("POST /api/v2/dags/{dag_id}/clearPartitions", body={"dry_run": False}, dag_id=dag_id)
    note(f"Cleared {found['dag_runs_cleared']} runs.")


@app.command()
@app.command("set-state", hidden=True)
def mark(
    dag_id: DagArgument,
    run_id: RunArgument,
    state: Annotated[str, typer.Argument(help="success, failed or queued.")],
    note_: Annotated[str | None, typer.Option("--note", help="A word about it, kept with the run.")] = None,
) -> None:
    """Say how a run ended."""
    _patch(dag_id, run_id, {"state": state} | ({"note": note_} if note_ is not None else {}))
    note(f"Run {run_id} of {dag_id} is {state}.")


@app.command("note")
def leave_note(
    dag_id: DagArgument, run_id: RunArgument, text: Annotated[str, typer.Argument(help="The note; empty for none.")]
) -> None:
    """Leave a note on a run, in place of the one it has."""
    _patch(dag_id, run_id, {"note": text or None})
    note(f"Run {run_id} of {dag_id} has a note.")


@app.command()
def cancel(dag_id: DagArgument, run_id: RunArgument) -> None:
    """End a run: what runs is killed, what waits is skipped."""
    _patch(dag_id, run_id, {"state": "failed"})
    note(f"Run {run_id} of {dag_id} is failed.")


@app.command()
def delete(dag_id: DagArgument, run_ids: RunsArgument, yes: YesOption = False) -> None:
    """Delete runs that have ended, with all that is of them."""
    confirm(f"Delete {', '.join(run_ids)} of {dag_id}?", yes)
    if len(run_ids) == 1:
        api().call("DELETE /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", dag_id=dag_id, dag_run_id=run_ids[0])
    else:
        bulk("PATCH /api/v2/dags/{dag_id}/dagRuns", "delete", run_ids, "Deleting runs", dag_id=dag_id)
    note(f"Deleted {len(run_ids)} runs of {dag_id}.")


@app.command("mark-all")
def mark_all(
    dag_id: DagArgument,
    run_ids: RunsArgument,
    state: Annotated[str, typer.Argument(help="success, failed or queued.")],
) -> None:
    """Say how several runs ended."""
    runs = [{"dag_run_id": run_id, "state": state} for run_id in run_ids]
    bulk("PATCH /api/v2/dags/{dag_id}/dagRuns", "update", runs, "Marking runs", dag_id=dag_id)
    note(f"{len(run_ids)} runs of {dag_id} are {state}.")


@app.command("asset-events")
def asset_events(dag_id: DagArgument, run_id: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """Show the asset events that a run was made for."""
    found = api().call(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/upstreamAssetEvents", dag_id=dag_id, dag_run_id=run_id
    )
    columns = ("id", "timestamp", "uri", "source_dag_id", "source_run_id", "source_task_id")
    show_rows(found["asset_events"], columns, output, empty="No asset event made this run.")


def _run(dag_id: str, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api().call(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", dag_id=dag_id, dag_run_id=run_id
    )
    return found


def _instances(dag_id: str, run_id: str) -> list[dict[str, Any]]:
    return api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances",
        "task_instances",
        query={"cursor": ""},
        dag_id=dag_id,
        dag_run_id=run_id,
    )


def _patch(dag_id: str, run_id: str, body: dict[str, Any]) -> None:
    api().call("PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", body=body, dag_id=dag_id, dag_run_id=run_id)


def _clear(dag_id: str, run_ids: list[str], body: dict[str, Any]) -> Any:
    if len(run_ids) == 1:
        return api().call(
            "POST /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/clear", body=body, dag_id=dag_id, dag_run_id=run_ids[0]
        )
    runs = [{"dag_run_id": run_id} for run_id in run_ids]
    return api().call("POST /api/v2/dags/{dag_id}/clearDagRuns", body={**body, "dag_runs": runs}, dag_id=dag_id)


def _exit_as(run_id: str, dag_id: str, state: str) -> None:
    note(f"Run {run_id} of {dag_id} ended as {state}.")
    raise typer.Exit(ExitCode.OK if state == "success" else ExitCode.FAILED)
