"""`flowd events`: the audit log."""

from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OutputOption, SinceOption, UntilOption, moment_text
from flowd.cli.output import Format, show_one, show_rows

app = new_app("The audit log: what people have changed.")


@app.command("list")
def list_events(
    dag_id: Annotated[str | None, typer.Option("--dag-id", "-d", help="Only about this DAG.")] = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="Only about this run.")] = None,
    task_id: Annotated[str | None, typer.Option("--task-id", help="Only about this task.")] = None,
    event: Annotated[list[str] | None, typer.Option("--event", help="Only this; may be repeated.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only by this user.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what people have changed, the newest first."""
    query = {
        "dag_id": dag_id,
        "run_id": run_id,
        "task_id": task_id,
        "included_events": event,
        "owner": owner,
        "after": moment_text(since),
        "before": moment_text(until),
        "order_by": "-event_log_id",
    }
    rows = api().listed("GET /api/v2/eventLogs", "event_logs", limit=limit, query=query)
    columns = ("event_log_id", "when", "owner", "event", "dag_id", "run_id", "task_id")
    show_rows(rows, columns, output, empty="No such event.")


@app.command()
def show(
    event_id: Annotated[int, typer.Argument(metavar="ID", help="The number of the event.")],
    output: OutputOption = Format.TABLE,
) -> None:
    """Show one event, with what it was before and after."""
    show_one(api().call("GET /api/v2/eventLogs/{event_log_id}", event_log_id=event_id), output)
