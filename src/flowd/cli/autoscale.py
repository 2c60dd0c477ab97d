"""`flowd autoscale`: how many workers each queue is worth."""

from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption, duration_of
from flowd.cli.output import Format, show_rows
from flowd.domain.errors import InvalidInput

app = new_app()

COLUMNS = (
    "queue", "queued", "running", "oldest_queued_seconds", "workers", "slots_per_worker", "wanted_workers", "reason",
)  # fmt: skip


@app.command()
def autoscale(
    is_to_advise: Annotated[
        bool, typer.Option("--advise", help="Print how many workers are wanted: flowd starts and ends no machines.")
    ] = False,
    slots: Annotated[
        int | None,
        typer.Option("--slots", min=1, help="How many tasks a worker runs at a time; else what the workers have."),
    ] = None,
    patience: Annotated[
        str, typer.Option("--patience", help="How long a task may wait where no slot is free, as 30s or 5m.")
    ] = "1m",
    output: OutputOption = Format.TABLE,
) -> None:
    """Advise how many workers each queue wants, for what is in it."""
    if not is_to_advise:
        raise InvalidInput("flowd starts and ends no machines; `flowd autoscale --advise` prints how many are wanted")
    query = {
        "slots_per_worker": slots,
        "patience_seconds": duration_of(patience, "--patience").total_seconds(),
    }
    found = api().call("GET /api/v2/autoscale", query=query)
    show_rows(found["queues"], COLUMNS, output)
