"""`flowd xcoms`: the values that tasks leave for others."""

import json
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
)
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.domain.errors import Conflict, InvalidInput

app = new_app("XComs: the values that tasks leave for others.")

KeyArgument = Annotated[str, typer.Argument(help="The key; return_value is what the task returned.")]


@app.command("list")
def list_xcoms(
    dag_id: DagArgument,
    run_id: Annotated[str, typer.Argument(help="The run; ~ for all.")],
    task_id: Annotated[str, typer.Argument(help="The task; ~ for all.")] = "~",
    key: Annotated[str | None, typer.Option("--key", help="Only where the key contains this.")] = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the XComs of a run, or of a task of it, without their values."""
    rows = api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries",
        "xcom_entries",
        limit=limit,
        query={"xcom_key_pattern": key},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
    )
    show_rows(rows, ("dag_id", "run_id", "task_id", "map_index", "key", "timestamp"), output, empty="No XComs.")


@app.command()
def get(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    key: KeyArgument = "return_value",
    map_index: IndexOption = -1,
    whole: Annotated[bool, typer.Option("--whole", help="With all that is known of it, not the value alone.")] = False,
) -> None:
    """Print the value of an XCom, as JSON."""
    found = api().call(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries/{xcom_key:path}",
        query={"map_index": map_index, "stringify": False},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
        xcom_key=key,
    )
    if whole:
        show_one(found, Format.JSON)
    else:
        print(json.dumps(found["value"], ensure_ascii=False, indent=2))


@app.command("set")
def set_xcom(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    key: KeyArgument,
    value: Annotated[str, typer.Argument(help="JSON.")],
    map_index: IndexOption = -1,
) -> None:
    """Leave an XCom in the name of a task, or change it."""
    where: dict[str, Any] = {"dag_id": dag_id, "dag_run_id": run_id, "task_id": task_id}
    body = {"value": json_value(value), "map_index": map_index}
    try:
        api().call(
            "POST /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries",
            body={"key": key, **body},
            **where,
        )
    except Conflict:
        api().call(
            "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries/{xcom_key:path}",
            body=body,
            xcom_key=key,
            **where,
        )
    note(f"XCom {key} of {task_id} in run {run_id} is set.")


@app.command()
def delete(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    key: KeyArgument,
    map_index: IndexOption = -1,
    yes: YesOption = False,
) -> None:
    """Delete an XCom."""
    confirm(f"Delete XCom {key} of {task_id} in run {run_id}?", yes)
    api().call(
        "DELETE /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries/{xcom_key:path}",
        query={"map_index": map_index},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
        xcom_key=key,
    )
    note(f"XCom {key} of {task_id} in run {run_id} is deleted.")


def json_value(text: str) -> Any:
    """Return the value that the text is as JSON; raise InvalidInput where it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no JSON: {error}; a text is written '\"so\"'") from error
