"""`flowd queues`: what waits for workers, and the messages that were put aside."""

from typing import Annotated

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OrderOption, OutputOption, YesOption, confirm
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.domain.errors import InvalidInput

app = new_app("Queues: what waits for workers, and the messages that were put aside.")

COLUMNS = ("name", "is_paused", "scheduled", "queued", "running", "oldest_queued_seconds", "workers")
DEAD_COLUMNS = ("id", "queue", "reason", "size_bytes", "dag_id", "run_id:dag_run_id", "task_id", "try_number")

NameArgument = Annotated[str, typer.Argument(help="The queue.")]
LetterArgument = Annotated[str | None, typer.Argument(metavar="[ID]", help="The message; every one with --all.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every dead letter.")]


@app.command("list")
def list_queues(order_by: OrderOption = None, limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show the queues that have tasks or workers, or are paused."""
    rows = api().listed("GET /api/v2/queues", "queues", limit=limit, query={"order_by": order_by})
    show_rows(rows, COLUMNS, output, empty="No queue has tasks or workers, and none is paused.")


@app.command()
def show(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Show a queue, and the workers that take from it."""
    found = api().call("GET /api/v2/queues/{queue_name:path}", queue_name=name)
    if output in (Format.JSON, Format.YAML):
        show_one(found, output)
        return
    show_one(found["queue"], output)
    columns = ("id", "host", "state", "concurrency", "running")
    show_rows(found["workers"], columns, output, empty="No worker takes from it.")


@app.command()
def pause(name: NameArgument) -> None:
    """Put nothing more into a queue; what is in it is run."""
    api().call("PATCH /api/v2/queues/{queue_name:path}", body={"is_paused": True}, queue_name=name)
    note(f"Queue {name} is paused.")


@app.command()
def resume(name: NameArgument) -> None:
    """Let a paused queue go on."""
    api().call("PATCH /api/v2/queues/{queue_name:path}", body={"is_paused": False}, queue_name=name)
    note(f"Queue {name} goes on.")


@app.command()
def dead(limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show the messages that nobody could read, or that came too often; the first thousand of them."""
    rows = api().listed("GET /api/v2/deadLetters", "dead_letters", limit=limit)
    show_rows(rows, DEAD_COLUMNS, output, empty="No dead letters.")


@app.command()
def retry(letter: LetterArgument = None, all_: AllOption = False) -> None:
    """Send a dead letter back to the queue that it came from."""
    named = _named(letter, all_)
    found = api().call("POST /api/v2/deadLetters/{dead_letter_id}/retry", dead_letter_id=named)
    note(f"{len(found['sent_back'])} dead letters are sent back.")


@app.command()
def purge(letter: LetterArgument = None, all_: AllOption = False, yes: YesOption = False) -> None:
    """Discard a dead letter for good."""
    named = _named(letter, all_)
    confirm(f"Discard {'every dead letter' if all_ else f'dead letter {named}'}?", yes)
    api().call("DELETE /api/v2/deadLetters/{dead_letter_id}", dead_letter_id=named)
    note("Discarded.")


def _named(letter: str | None, is_every: bool) -> str:
    if (letter is None) is not is_every:
        raise InvalidInput("wanted either the id of a dead letter, or --all for every one")
    return letter or "~"
