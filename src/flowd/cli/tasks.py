"""`flowd tasks`: the tasks of DAGs, and their instances in runs."""

import re
from typing import Annotated, Any

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    ConfOption,
    DagArgument,
    DagIdOption,
    IndexOption,
    LatestOption,
    LimitOption,
    NoteOption,
    OrderOption,
    OutputOption,
    RunArgument,
    TaskArgument,
    TestedDagArgument,
    TestedDateArgument,
    TryOption,
    YesOption,
    confirm,
    moment_text,
)
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.task_log import print_log
from flowd.cli.task_marks import cancel, leave_note, mark
from flowd.domain.errors import InvalidInput

app = new_app("Tasks of DAGs, and their instances in runs.")

COLUMNS = ("task_id", "map_index", "state", "try_number", "operator", "start_date", "duration", "hostname")
OF_DAG = ("task_id", "operator_name", "trigger_rule", "downstream_task_ids", "retries", "pool", "is_mapped")
BRIEFLY = ("run_id:dag_run_id", "task_id", "map_index", "state", "try_number")

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show which task instances are meant.")]


@app.command("list")
def list_tasks(
    dag_id: DagArgument,
    run_id: Annotated[str | None, typer.Argument(help="A run; ~ for all. The DAG's tasks else.")] = None,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only in this state; may be repeated.")] = None,
    task_id: Annotated[list[str] | None, typer.Option("--task", help="Only of this task; may be repeated.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Only of this task group.")] = None,
    pool: Annotated[str | None, typer.Option("--pool", help="Only of this pool.")] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="Only of this queue.")] = None,
    operator: Annotated[str | None, typer.Option("--operator", help="Only of this operator.")] = None,
    order_by: OrderOption = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the tasks of a DAG, or the task instances of a run. `~` is every DAG, or every run."""
    if run_id is None:
        found = api().call("GET /api/v2/dags/{dag_id}/tasks", query={"order_by": order_by}, dag_id=dag_id)
        show_rows(found["tasks"], OF_DAG, output, empty="The DAG has no tasks.")
        return
    query = {
        "cursor": "",
        "state": state,
        "task_id": task_id,
        "task_group_id": group,
        "pool": pool,
        "queue": queue,
        "operator": operator,
        "order_by": order_by,
    }
    rows = api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances",
        "task_instances",
        limit=limit,
        query=query,
        dag_id=dag_id,
        dag_run_id=run_id,
    )
    wider = [name for name, asked in (("dag_id", dag_id), ("dag_run_id", run_id)) if asked == "~"]
    show_rows(rows, (*wider, *COLUMNS), output, empty="No such tasks, or the run has not started.")


@app.command("states-for-dag-run", hidden=True)
def states_for_dag_run(dag_id: DagArgument, run_id: RunArgument, output: OutputOption = Format.TABLE) -> None:
    """As `flowd tasks list DAG_ID RUN_ID`, in Airflow's words."""
    list_tasks(dag_id, run_id, output=output)


@app.command()
def show(
    dag_id: DagArgument,
    run_id: Annotated[str, typer.Argument(help="The run's id; left out, the task itself is shown.")],
    task_id: Annotated[str | None, typer.Argument(help="The task.")] = None,
    map_index: IndexOption = -1,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a task instance, or with `flowd tasks show DAG_ID TASK_ID` what the file says of a task."""
    if task_id is None:
        show_one(api().call("GET /api/v2/dags/{dag_id}/tasks/{task_id}", dag_id=dag_id, task_id=run_id), output)
        return
    show_one(_instance(dag_id, run_id, task_id, map_index), output)


@app.command()
def state(dag_id: DagArgument, run_id: RunArgument, task_id: TaskArgument, map_index: IndexOption = -1) -> None:
    """Print the state of a task instance: one word."""
    print(_instance(dag_id, run_id, task_id, map_index)["state"] or "none")


@app.command()
def mapped(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only in this state; may be repeated.")] = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the instances of a mapped task."""
    rows = api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/listMapped",
        "task_instances",
        limit=limit,
        query={"state": state},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
    )
    columns = ("task_id", "map_index", "rendered_map_index", "state", "try_number", "start_date", "duration")
    show_rows(rows, columns, output, empty="The task has not expanded yet.")


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
    instance = _instance(dag_id, run_id, task_id, map_index)
    print_log(instance, try_number or max(1, instance["try_number"]), is_followed=follow)


@app.command()
def tries(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    try_number: TryOption = None,
    map_index: IndexOption = -1,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the tries of a task instance: how each ended, and what it used."""
    where: dict[str, Any] = {"dag_id": dag_id, "dag_run_id": run_id, "task_id": task_id, "map_index": map_index}
    if try_number is not None and map_index < 0:
        found = api().call(
            "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/tries/{task_try_number}",
            task_try_number=try_number,
            **where,
        )
        show_one(found, output)
        return
    if try_number is not None:
        operation = (
            "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/tries/{task_try_number}"
        )
        show_one(api().call(operation, task_try_number=try_number, **where), output)
        return
    if map_index < 0:
        operation = "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/tries"
    else:
        operation = "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/tries"
    columns = ("try_number", "state", "cause", "exit_code", "signal", "start_date", "duration", "cpu_seconds", "error")
    show_rows(api().call(operation, **where)["task_instances"], columns, output, empty="It has not been tried yet.")


@app.command()
@app.command("render", hidden=True)
def rendered(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    map_index: IndexOption = -1,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the fields of a task instance with their templates filled in, as its last try had them."""
    show_one(_instance(dag_id, run_id, task_id, map_index)["rendered_fields"], output)


@app.command()
def links(dag_id: DagArgument, run_id: RunArgument, task_id: TaskArgument, output: OutputOption = Format.TABLE) -> None:
    """Show the extra links of a task instance."""
    found = api().call(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/links",
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
    )
    rows = [{"name": name, "url": url} for name, url in found["extra_links"].items()]
    show_rows(rows, ("name", "url"), output, empty="It has no links.")


@app.command()
def clear(
    dag_id: DagArgument,
    run_id: Annotated[str | None, typer.Argument(help="The run; every run of the dates where none is given.")] = None,
    task_ids: Annotated[list[str] | None, typer.Argument(help="The tasks; all where none is given.")] = None,
    task_regex: Annotated[
        str | None, typer.Option("--task-regex", "-t", help="Instead of tasks: those that this matches.")
    ] = None,
    start_date: Annotated[str | None, typer.Option("--start-date", "-s", help="Of runs from this date on.")] = None,
    end_date: Annotated[str | None, typer.Option("--end-date", "-e", help="Of runs up to this date.")] = None,
    downstream: Annotated[bool, typer.Option("--downstream", "-d", help="Also what follows them.")] = False,
    upstream: Annotated[bool, typer.Option("--upstream", "-u", help="Also what they follow.")] = False,
    future: Annotated[bool, typer.Option("--future", help="Also in later runs.")] = False,
    past: Annotated[bool, typer.Option("--past", help="Also in earlier runs.")] = False,
    only_failed: Annotated[bool, typer.Option("--only-failed", "-f", help="Only what has failed.")] = False,
    only_running: Annotated[bool, typer.Option("--only-running", "-r", help="Only what runs.")] = False,
    map_index: IndexOption = -1,
    latest: LatestOption = False,
    note_: NoteOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run tasks again."""
    names = _matching(dag_id, task_regex) if task_regex else task_ids
    body = {
        "dag_run_id": run_id,
        "task_ids": [[name, map_index] for name in names] if names and map_index >= 0 else names or None,
        "start_date": moment_text(start_date),
        "end_date": moment_text(end_date),
        "include_downstream": downstream,
        "include_upstream": upstream,
        "include_future": future,
        "include_past": past,
        "only_failed": only_failed,
        "only_running": only_running,
        "run_on_latest_version": latest,
        "note": note_,
    }

    def ask(is_dry: bool) -> list[dict[str, Any]]:
        found = api().call(
            "POST /api/v2/dags/{dag_id}/clearTaskInstances", body={**body, "dry_run": is_dry}, dag_id=dag_id
        )
        cleared: list[dict[str, Any]] = found["task_instances"]
        return cleared

    found = ask(True)
    if dry_run:
        show_rows(found, BRIEFLY, output, empty="Nothing to clear.")
    elif not found:
        note("Nothing to clear.")
    else:
        confirm(f"Clear {len(found)} task instances of {run_id or dag_id}?", yes)
        note(f"Cleared {len(ask(False))} task instances.")


@app.command()
def why(dag_id: DagArgument, run_id: RunArgument, task_id: TaskArgument, map_index: IndexOption = -1) -> None:
    """Say every reason why a task is not running now."""
    found = api().call(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/why",
        query={"map_index": map_index},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
    )
    _say(found["reasons"])


@app.command("failed-deps", hidden=True)
def failed_deps(dag_id: DagArgument, run_id: RunArgument, task_id: TaskArgument, map_index: IndexOption = -1) -> None:
    """As `flowd tasks why`, in Airflow's words."""
    if map_index < 0:
        operation = "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/dependencies"
    else:
        operation = "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/dependencies"
    found = api().call(operation, dag_id=dag_id, dag_run_id=run_id, task_id=task_id, map_index=map_index)
    _say([one["reason"] for one in found["dependencies"]])


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


app.command("mark")(mark)
app.command("set-state", hidden=True)(mark)
app.command("cancel")(cancel)
app.command("note")(leave_note)


def _instance(dag_id: str, run_id: str, task_id: str, map_index: int) -> dict[str, Any]:
    where: dict[str, Any] = {"dag_id": dag_id, "dag_run_id": run_id, "task_id": task_id}
    found: dict[str, Any]
    if map_index < 0:
        found = api().call("GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}", **where)
    else:
        found = api().call(
            "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}",
            map_index=map_index,
            **where,
        )
    return found


def _matching(dag_id: str, task_regex: str) -> list[str]:
    try:
        wanted = re.compile(task_regex)
    except re.error as error:
        raise InvalidInput(f"--task-regex is {task_regex!r}, which is no regular expression: {error}") from error
    tasks = api().call("GET /api/v2/dags/{dag_id}/tasks", dag_id=dag_id)["tasks"]
    found = [task["task_id"] for task in tasks if wanted.search(task["task_id"])]
    if not found:
        raise InvalidInput(f"no task of {dag_id} matches {task_regex!r}; `flowd tasks list {dag_id}` shows all")
    return found


def _say(reasons: list[str]) -> None:
    for reason in reasons:
        print(reason)
    if not reasons:
        note("Nothing holds it back: it runs, or has ended well.")
