"""`flowd tasks mark`, `flowd tasks cancel` and `flowd tasks note`: what people say of task instances."""

from typing import Annotated, Any

import typer

from flowd.cli.bulk import bulk
from flowd.cli.client.current import api
from flowd.cli.options import DagArgument, IndexOption, NoteOption, OutputOption, RunArgument, TaskArgument
from flowd.cli.output import Format, note, show_rows
from flowd.domain.errors import InvalidInput

BRIEFLY = ("run_id:dag_run_id", "task_id", "map_index", "state", "try_number")


def mark(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_ids: Annotated[list[str], typer.Argument(metavar="TASK_ID...", help="The tasks.")],
    state: Annotated[str, typer.Argument(help="success, failed or skipped.")],
    map_index: IndexOption = -1,
    group: Annotated[bool, typer.Option("--group", help="The name is that of a task group.")] = False,
    downstream: Annotated[bool, typer.Option("--downstream", "-d", help="Also what follows it.")] = False,
    upstream: Annotated[bool, typer.Option("--upstream", "-u", help="Also what it follows.")] = False,
    future: Annotated[bool, typer.Option("--future", help="Also in later runs.")] = False,
    past: Annotated[bool, typer.Option("--past", help="Also in earlier runs.")] = False,
    note_: NoteOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which would be marked.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Say how tasks ended."""
    body: dict[str, Any] = {
        "new_state": state,
        "include_downstream": downstream,
        "include_upstream": upstream,
        "include_future": future,
        "include_past": past,
    }
    if note_ is not None:
        body["note"] = note_
    if len(task_ids) > 1:
        if group or dry_run:
            raise InvalidInput("--group and --dry-run are about one name; several tasks were given")
        _mark_several(dag_id, run_id, task_ids, map_index, body)
        note(f"{len(task_ids)} tasks in run {run_id} are {state}.")
        return
    where = {"dag_id": dag_id, "dag_run_id": run_id, "task_id": task_ids[0], "map_index": map_index}
    found = _group(where, body, dry_run) if group else _one(where, body, dry_run)
    if dry_run:
        show_rows(found["task_instances"], BRIEFLY, output, empty="Nothing would be marked.")
    else:
        note(f"Task {task_ids[0]} in run {run_id} is {state}.")


def cancel(dag_id: DagArgument, run_id: RunArgument, task_id: TaskArgument, map_index: IndexOption = -1) -> None:
    """Stop a task for good: its process is killed if it runs; it fails, and no retry follows."""
    stopped = api().call(
        "POST /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/cancel",
        query={"map_index": map_index},
        dag_id=dag_id,
        dag_run_id=run_id,
        task_id=task_id,
    )
    is_dying = stopped["state"] == "running"
    note(f"Task {task_id} in run {run_id} is {'being stopped by its worker' if is_dying else stopped['state']}.")


def leave_note(
    dag_id: DagArgument,
    run_id: RunArgument,
    task_id: TaskArgument,
    text: Annotated[str, typer.Argument(help="The note; empty for none.")],
    map_index: IndexOption = -1,
) -> None:
    """Leave a note on a task instance, in place of the one it has."""
    _one({"dag_id": dag_id, "dag_run_id": run_id, "task_id": task_id, "map_index": map_index}, {"note": text}, False)
    note(f"Task {task_id} in run {run_id} has a note.")


def _one(where: dict[str, Any], body: dict[str, Any], is_dry: bool) -> Any:
    if where["map_index"] < 0:
        operation = (
            "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/dry_run"
            if is_dry
            else "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}"
        )
    else:
        operation = (
            "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/dry_run"
            if is_dry
            else "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}"
        )
    return api().call(operation, body=body, **where)


def _group(where: dict[str, Any], body: dict[str, Any], is_dry: bool) -> Any:
    operation = (
        "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskGroupInstances/{group_id}/dry_run"
        if is_dry
        else "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskGroupInstances/{group_id}"
    )
    return api().call(
        operation, body=body, dag_id=where["dag_id"], dag_run_id=where["dag_run_id"], group_id=where["task_id"]
    )


def _mark_several(dag_id: str, run_id: str, task_ids: list[str], map_index: int, body: dict[str, Any]) -> None:
    index = {"map_index": map_index} if map_index >= 0 else {}
    entities = [{"task_id": task_id, **index, **body} for task_id in task_ids]
    operation = "PATCH /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances"
    bulk(operation, "update", entities, "Marking tasks", dag_id=dag_id, dag_run_id=run_id)
