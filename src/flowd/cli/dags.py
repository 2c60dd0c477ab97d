"""`flowd dags`: what the DAG folder defines, and when it runs."""

import uuid
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from flowd.cli.backfill import create
from flowd.cli.client.current import api
from flowd.cli.dag_names import DagsArgument, dag_names, dag_query
from flowd.cli.deployment import list_jobs
from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    ConfOption,
    DagArgument,
    DagIdOption,
    LimitOption,
    NoteOption,
    OrderOption,
    OutputOption,
    TestedDagArgument,
    TestedDateArgument,
    TimeoutOption,
    YesOption,
    conf_object,
    confirm,
    moment_of,
    moment_text,
)
from flowd.cli.output import Format, note, show_one, show_rows, show_summary
from flowd.cli.progress import progress
from flowd.cli.runs import list_runs
from flowd.cli.watch import hindrances, watch
from flowd.domain.errors import NotFound

app = new_app("DAGs: what the DAG folder defines, and when it runs.")

COLUMNS = (
    "dag_id",
    "is_paused",
    "schedule:timetable_summary",
    "next_run:next_dagrun_run_after",
    "owners",
    "tags",
    "file:relative_fileloc",
    "has_import_errors",
)
RUN_COLUMNS = ("dag_id", "run_id:dag_run_id", "state")
PAGE = 100


@app.command("list")
def list_dags(
    pattern: Annotated[
        str | None, typer.Argument(help="Only DAGs of this name; * and ? stand for any letters.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only with this tag; may be repeated.")] = None,
    owner: Annotated[list[str] | None, typer.Option("--owner", help="Only of this owner; may be repeated.")] = None,
    paused: Annotated[bool | None, typer.Option("--paused/--active", help="Only those paused, or not paused.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="Only where the last run is in this state.")] = None,
    broken: Annotated[bool, typer.Option("--broken", help="Only where a file could not be read.")] = False,
    favorites: Annotated[bool, typer.Option("--favorites", help="Only my favourites.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Also those whose file is gone.")] = False,
    order_by: OrderOption = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the DAGs."""
    query = {
        **(dag_query(pattern) if pattern else {}),
        "tags": tag,
        "owners": owner,
        "paused": paused,
        "last_dag_run_state": state,
        "has_import_errors": broken or None,
        "is_favorite": favorites or None,
        "exclude_stale": not all_,
        "order_by": order_by,
    }
    rows = api().listed("GET /api/v2/dags", "dags", limit=0 if pattern else limit, query=query)
    if pattern:
        rows = [row for row in rows if fnmatchcase(row["dag_id"], pattern)][: limit or None]
    empty = "No DAGs: a scheduler puts them here; see `flowd config get dags.folder` and `flowd dags import-errors`."
    show_rows(rows, COLUMNS, output, empty=empty)


@app.command()
@app.command("details", hidden=True)
def show(dag_id: DagArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one DAG, with what its file says of it."""
    show_one(api().call("GET /api/v2/dags/{dag_id}/details", dag_id=dag_id), output)


@app.command()
def pause(dag_ids: DagsArgument) -> None:
    """Let DAGs make no runs and start no tasks; what runs goes on."""
    _set_paused(dag_ids, True)


@app.command()
def unpause(dag_ids: DagsArgument) -> None:
    """Let paused DAGs go on."""
    _set_paused(dag_ids, False)


@app.command()
def delete(dag_ids: DagsArgument, yes: YesOption = False) -> None:
    """Delete DAGs with their runs, versions and backfills; what a file still defines is soon a new DAG."""
    names = dag_names(dag_ids)
    confirm(f"Delete {', '.join(names)} with every run?", yes)
    for name in progress(names, "Deleting DAGs"):
        api().call("DELETE /api/v2/dags/{dag_id}", dag_id=name)
        note(f"DAG {name} is deleted.")


@app.command("next")
@app.command("next-execution", hidden=True)
def next_runs(
    dag_id: DagArgument,
    count: Annotated[int, typer.Option("--limit", "-n", "--num-executions", help="How many.", min=1, max=100)] = 5,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show when the DAG will run next."""
    found = api().call("GET /api/v2/dags/{dag_id}/nextRuns", query={"limit": count}, dag_id=dag_id)
    columns = ("run_after", "logical_date", "data_interval_start", "data_interval_end")
    empty = f"{dag_id} has no run planned; run it with: flowd dags trigger {dag_id}"
    show_rows(found["next_runs"], columns, output, empty=empty)


@app.command()
def trigger(
    dag_id: DagArgument,
    conf: ConfOption = None,
    run_id: Annotated[str | None, typer.Option("--run-id", "-r", help="The run's id; one is made up else.")] = None,
    logical_date: Annotated[
        str | None,
        typer.Option("--logical-date", "-l", "--exec-date", "-e", help="As 2026-11-22; now where none is given."),
    ] = None,
    run_after: Annotated[str | None, typer.Option("--run-after", help="Not before this moment.")] = None,
    partition_key: Annotated[str | None, typer.Option("--partition-key", help="The partition it is about.")] = None,
    note_: NoteOption = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Show what happens until the run has ended.")] = False,
    timeout: TimeoutOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run a DAG now."""
    body = {
        "dag_run_id": run_id,
        # As when a person triggers it in Airflow: such a run is about now, and its templates have a date.
        "logical_date": (moment_of(logical_date) if logical_date else datetime.now(UTC)).isoformat(),
        "run_after": moment_text(run_after),
        "conf": conf_object(conf),
        "note": note_,
        "partition_key": partition_key,
    }
    # One command makes one run, also where the answer is lost and the request is sent again.
    key = {"Idempotency-Key": f"cli:{uuid.uuid4().hex}"}
    run = api().call("POST /api/v2/dags/{dag_id}/dagRuns", body=body, headers=key, dag_id=dag_id)
    if not wait:
        show_summary(run, RUN_COLUMNS, output)
        return
    run_id = run["dag_run_id"]
    note(f"Run {run_id} of {dag_id} is queued.")
    for hindrance in hindrances(dag_id):
        note(f"flowd: warning: {hindrance}")
    ended = watch(dag_id, run_id, timeout)
    show_summary(ended, RUN_COLUMNS, output)
    raise typer.Exit(ExitCode.OK if ended["state"] == "success" else ExitCode.FAILED)


@app.command()
def why(dag_id: DagArgument) -> None:
    """Say what keeps the DAG from running, and when it is due next."""
    dag = api().call("GET /api/v2/dags/{dag_id}", dag_id=dag_id)
    found = hindrances(dag_id)
    for hindrance in found:
        print(hindrance)
    due = dag["next_dagrun_run_after"]
    note(f"It is due next at {due}." if due else f"It has no schedule; run it with: flowd dags trigger {dag_id}")


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


@app.command()
@app.command("show-source", hidden=True)
def source(
    dag_id: DagArgument,
    version: Annotated[int | None, typer.Option("--version", help="Of this version; the latest else.")] = None,
) -> None:
    """Print the file of a DAG."""
    found = api().call("GET /api/v2/dagSources/{dag_id}", query={"version_number": version}, dag_id=dag_id)
    print(found["content"], end="")


@app.command()
def diff(
    dag_id: DagArgument,
    older: Annotated[int, typer.Argument(help="The number of a version.")],
    newer: Annotated[int | None, typer.Argument(help="Another; the latest where none is given.")] = None,
) -> None:
    """Show how the file of a DAG differs between two versions."""
    from difflib import unified_diff

    def lines(version: int | None) -> list[str]:
        found = api().call("GET /api/v2/dagSources/{dag_id}", query={"version_number": version}, dag_id=dag_id)
        return str(found["content"]).splitlines(keepends=True)

    names = (f"version {older}", f"version {newer or 'latest'}")
    print("".join(unified_diff(lines(older), lines(newer), *names)), end="")


@app.command()
def versions(
    dag_id: DagArgument,
    number: Annotated[int | None, typer.Argument(help="Only this version.")] = None,
    limit: LimitOption = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the versions of a DAG, the newest first."""
    if number is not None:
        show_one(
            api().call("GET /api/v2/dags/{dag_id}/dagVersions/{version_number}", dag_id=dag_id, version_number=number),
            output,
        )
        return
    rows = api().listed(
        "GET /api/v2/dags/{dag_id}/dagVersions",
        "dag_versions",
        limit=limit,
        query={"order_by": "-version_number"},
        dag_id=dag_id,
    )
    show_rows(rows, ("version_number", "created_at", "bundle_version", "id"), output)


@app.command()
def tags(
    pattern: Annotated[str | None, typer.Argument(help="Only tags that contain this.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the tags that DAGs have."""
    names = api().listed("GET /api/v2/dagTags", "tags", query={"tag_name_pattern": pattern})
    show_rows([{"name": name} for name in names], ("name",), output, empty="No DAG has a tag.")


@app.command()
def stats(
    dag_ids: Annotated[list[str] | None, typer.Argument(metavar="[DAG_ID]...", help="Only of these DAGs.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show how many runs of each DAG are in each state."""
    names = dag_names(dag_ids) if dag_ids else None
    rows = [
        {"dag_id": dag["dag_id"], **{one["state"]: one["count"] for one in dag["stats"]}}
        for dag in api().call("GET /api/v2/dagStats", query={"dag_ids": names})["dags"]
    ]
    show_rows(rows, ("dag_id", "queued", "running", "success", "failed"), output, empty="No DAGs.")


@app.command()
def warnings(
    dag_id: Annotated[str | None, typer.Argument(help="Only of this DAG.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what is wrong about DAGs that run nevertheless."""
    rows = api().listed("GET /api/v2/dagWarnings", "dag_warnings", query={"dag_id": dag_id})
    show_rows(rows, ("dag_id", "warning_type", "message"), output, empty="No warnings.")


@app.command("import-errors")
@app.command("list-import-errors", hidden=True)
def import_errors(
    error_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="Only this one.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the DAG files that could not be read, and why."""
    if error_id is not None:
        rows = [api().call("GET /api/v2/importErrors/{import_error_id}", import_error_id=error_id)]
    else:
        rows = api().listed("GET /api/v2/importErrors", "import_errors")
    if output is not Format.TABLE:
        show_rows(rows, ("filename", "stack_trace"), output)
        return
    for row in rows:
        print(f"{row['filename']}\n{row['stack_trace']}\n")
    if not rows:
        note("Every DAG file could be read.")


@app.command()
def reparse(dag_id: DagArgument) -> None:
    """Let a scheduler read the file of a DAG again now, changed or not."""
    dag = api().call("GET /api/v2/dags/{dag_id}", dag_id=dag_id)
    api().call("PUT /api/v2/parseDagFile/{file_token:path}", file_token=dag["file_token"])
    note(f"A scheduler reads {dag['relative_fileloc']} again.")


@app.command()
def favorite(dag_id: DagArgument) -> None:
    """Put a DAG among my favourites."""
    api().call("POST /api/v2/dags/{dag_id}/favorite", dag_id=dag_id)
    note(f"DAG {dag_id} is among your favourites.")


@app.command()
def unfavorite(dag_id: DagArgument) -> None:
    """Take a DAG from my favourites."""
    api().call("POST /api/v2/dags/{dag_id}/unfavorite", dag_id=dag_id)
    note(f"DAG {dag_id} is none of your favourites.")


def _set_paused(patterns: list[str], is_paused: bool) -> None:
    names, body = dag_names(patterns), {"is_paused": is_paused}
    word = "paused" if is_paused else "unpaused"
    if len(names) == 1:
        api().call("PATCH /api/v2/dags/{dag_id}", body=body, dag_id=names[0])
        note(f"DAG {names[0]} is {word}.")
        return
    changed: set[str] = set()
    for start in progress(range(0, len(names), PAGE), "Changing DAGs"):
        query = {"dag_id": names[start : start + PAGE], "exclude_stale": False, "limit": PAGE}
        found = api().call("PATCH /api/v2/dags", query=query, body=body)
        changed |= {dag["dag_id"] for dag in found["dags"]}
    note(f"{len(changed)} DAGs are {word}.")
    if missed := [name for name in names if name not in changed]:
        raise NotFound(f"these DAGs do not exist, or are not yours to change: {', '.join(missed)}")


# Airflow's words for what has a noun of its own here.
app.command("list-runs", hidden=True)(list_runs)
app.command("backfill", hidden=True)(create)
app.command("list-jobs", hidden=True)(list_jobs)
