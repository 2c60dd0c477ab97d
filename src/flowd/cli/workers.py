"""`flowd workers`: the nodes that run tasks."""

from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OrderOption, OutputOption
from flowd.cli.output import Format, note, show_one, show_rows

app = new_app("Nodes that run tasks.")

COLUMNS = ("id", "host", "pid", "state", "queues", "concurrency", "running", "started_at", "seen_at")

WorkerArgument = Annotated[str, typer.Argument(help="The worker's id, or the beginning of it.")]


@app.command("list")
def list_workers(order_by: OrderOption = None, limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show the workers seen within a day, the one seen last first."""
    rows = api().listed("GET /api/v2/workers", "workers", limit=limit, query={"order_by": order_by})
    show_rows(rows, COLUMNS, output, empty="No workers: `flowd run --roles worker` starts one.")


@app.command()
def show(worker: WorkerArgument, output: OutputOption = Format.TABLE) -> None:
    """Show a worker, and the tasks that it runs."""
    found = api().call("GET /api/v2/workers/{worker_id}", worker_id=worker)
    if output in (Format.JSON, Format.YAML):
        show_one(found, output)
        return
    show_one(found["worker"], output)
    columns = ("dag_id", "run_id:dag_run_id", "task_id", "map_index", "try_number", "start_date")
    show_rows(found["task_instances"], columns, output, empty="It runs no task.")


@app.command("set-concurrency")
def set_concurrency(
    worker: WorkerArgument,
    concurrency: Annotated[int, typer.Argument(help="How many tasks it may run at a time.")],
) -> None:
    """Change how many tasks a worker runs at a time; what runs goes on."""
    body = {"concurrency": concurrency}
    found = api().call("PATCH /api/v2/workers/{worker_id}", body=body, worker_id=worker)
    note(f"Worker {found['id'][:8]} on {found['host']} runs {concurrency} tasks at a time within a few seconds.")


@app.command()
def drain(worker: WorkerArgument) -> None:
    """Let a worker take no more work; what runs goes on, and the worker stays."""
    found = api().call("POST /api/v2/workers/{worker_id}/drain", worker_id=worker)
    note(f"Worker {found['id'][:8]} on {found['host']} takes no more work within a few seconds.")


@app.command()
def undrain(worker: WorkerArgument) -> None:
    """Let a worker take work again."""
    found = api().call("POST /api/v2/workers/{worker_id}/undrain", worker_id=worker)
    note(f"Worker {found['id'][:8]} on {found['host']} takes work again within a few seconds.")
