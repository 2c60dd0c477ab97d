"""`flowd task-state`: what tasks keep for their later tries."""

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
    YesOption,
    confirm,
    moment_text,
)
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.xcoms import json_value
from flowd.domain.errors import InvalidInput, NotFound

app = new_app("What tasks keep for their later tries.")

KeyArgument = Annotated[str, typer.Argument(help="The key.")]


@app.command("list")
def list_kept(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    map_index: IndexOption = -1,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what a task instance keeps."""
    rows = api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store",
        "task_state_store",
        limit=limit,
        query={"map_index": map_index},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
    )
    show_rows(rows, ("key", "value", "updated_at", "expires_at"), output, empty="It keeps nothing.")


@app.command()
def get(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    key: KeyArgument,
    map_index: IndexOption = -1,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show one value that a task instance keeps."""
    found = api().call(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store/{key:path}",
        query={"map_index": map_index},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
        key=key,
    )
    show_one(found, output)


@app.command("set")
def set_kept(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    key: KeyArgument,
    value: Annotated[str, typer.Argument(help="JSON.")],
    expires: Annotated[
        str | None, typer.Option("--expires", help="The moment until which it is kept; it stays as it is else.")
    ] = None,
    map_index: IndexOption = -1,
) -> None:
    """Let a task instance keep a value, in the place of one of this key."""
    where: dict[str, Any] = {"dag_id": dag_id, "dag_run_id": run_id, "task_id": task_id, "key": key}
    body, query = {"value": json_value(value)}, {"map_index": map_index}
    put = "PUT /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store/{key:path}"
    if expires is not None:
        api().call(put, query=query, body={**body, "expires_at": moment_text(expires)}, **where)
    else:
        try:
            api().call(
                "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store/{key:path}",
                query=query,
                body=body,
                **where,
            )
        except NotFound:
            api().call(put, query=query, body=body, **where)
    note(f"{key} of {task_id} in run {run_id} is kept.")


@app.command()
def delete(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    key: Annotated[str | None, typer.Argument(help="The key; everything with --all.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that the task instance keeps.")] = False,
    map_index: IndexOption = -1,
    yes: YesOption = False,
) -> None:
    """Forget what a task instance keeps."""
    if (key is None) is not all_:
        raise InvalidInput("wanted either a key, or --all for everything")
    where: dict[str, Any] = {"dag_id": dag_id, "dag_run_id": run_id, "task_id": task_id}
    query = {"map_index": map_index}
    confirm(f"Forget {key or 'all'} that {task_id} in run {run_id} keeps?", yes)
    if key is None:
        operation = "DELETE /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store"
        api().call(operation, query=query, **where)
    else:
        operation = "DELETE /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store/{key:path}"
        api().call(operation, query=query, key=key, **where)
    note("It is forgotten.")
