"""`flowd workers`: the nodes that run tasks."""

from typing import Annotated

import typer

from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption
from flowd.cli.output import Format, note, show_rows
from flowd.cli.session import read_settings, with_backends

app = new_app("Nodes that run tasks.")

COLUMNS = ("id", "host", "pid", "queues", "concurrency", "running", "started_at", "seen_at")


@app.command("list")
def list_workers(output: OutputOption = Format.TABLE) -> None:
    """Show the workers seen within a day, the one seen last first."""
    from flowd.actions.workers import list_workers as workers_of

    found = with_backends(read_settings(), workers_of)
    rows = [{name: getattr(one, name) for name in COLUMNS} for one in found]
    show_rows(rows, COLUMNS, output, empty="No workers: `flowd run --roles worker` starts one.")


@app.command("set-concurrency")
def set_concurrency(
    worker: Annotated[str, typer.Argument(help="The worker's id, or the beginning of it.")],
    concurrency: Annotated[int, typer.Argument(help="How many tasks it may run at a time.")],
) -> None:
    """Change how many tasks a worker runs at a time; what runs goes on."""
    from flowd.actions.workers import set_concurrency as change

    node = with_backends(read_settings(), lambda backends: change(backends, worker, concurrency))
    note(f"Worker {node.id[:8]} on {node.host} will run {concurrency} tasks at a time within a few seconds.")
