"""`flowd hitl`: what tasks ask people, and their answers."""

from typing import Annotated, Any

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    DagArgument,
    IndexOption,
    LimitOption,
    OutputOption,
    RunArgument,
    TaskArgument,
    TryOption,
    conf_object,
)
from flowd.cli.output import Format, note, show_one, show_rows

app = new_app("What tasks ask people (human in the loop), and their answers.")

COLUMNS = (
    "dag_id:task_instance.dag_id",
    "dag_run_id:task_instance.dag_run_id",
    "task_id:task_instance.task_id",
    "map_index:task_instance.map_index",
    "subject",
    "options",
    "response_received",
)


@app.command("list")
def list_questions(
    dag_id: Annotated[str, typer.Argument(metavar="[DAG_ID]", help="The DAG; all where none is given.")] = "~",
    run_id: Annotated[str, typer.Argument(metavar="[RUN_ID]", help="The run; all where none is given.")] = "~",
    open_: Annotated[bool | None, typer.Option("--open/--answered", help="Only those open, or answered.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Only where the subject contains this.")] = None,
    limit: LimitOption = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what tasks ask."""
    rows = api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/hitlDetails",
        "hitl_details",
        limit=limit,
        query={"response_received": None if open_ is None else not open_, "subject_search": search},
        dag_id=dag_id,
        dag_run_id=run_id,
    )
    show_rows(rows, COLUMNS, output, empty="Nobody is asked anything.")


@app.command()
def show(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    map_index: IndexOption = -1,
    try_number: TryOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what a task asks, or what one of its tries has asked."""
    where: dict[str, Any] = {"dag_id": dag_id, "dag_run_id": run_id, "task_id": task_id, "map_index": map_index}
    if try_number is None:
        operation = "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails"
        show_one(api().call(operation, **where), output)
        return
    found = api().call(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails"
        "/tries/{try_number}",
        try_number=try_number,
        **where,
    )
    show_one(found, output)


@app.command()
def answer(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    options: Annotated[list[str], typer.Argument(metavar="OPTION...", help="What is chosen.")],
    params: Annotated[str | None, typer.Option("--params", help="A JSON object: what is filled in.")] = None,
    map_index: IndexOption = -1,
    output: OutputOption = Format.TABLE,
) -> None:
    """Answer what a task asks; the task goes on with it."""
    given = api().call(
        "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/hitlDetails",
        body={"chosen_options": options, "params_input": conf_object(params, "--params")},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
        map_index=map_index,
    )
    show_one(given, output)
    note(f"Task {task_id} in run {run_id} goes on.")
