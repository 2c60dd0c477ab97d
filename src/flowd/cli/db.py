"""`flowd db`: the metastore's schema, and what has ended long ago."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import OutputOption, YesOption, confirm
from flowd.cli.output import Format, note, show_one
from flowd.cli.session import connected, read_settings_without_keys, refuse_server, with_metastore
from flowd.domain.errors import InvalidInput

if TYPE_CHECKING:
    from datetime import timedelta

    from flowd.db.metastore import Metastore
    from flowd.db.retention import Deleted
    from flowd.db.revisions import SchemaStatus

app = new_app("Set up and look after the metastore.")


@app.command()
def migrate() -> None:
    """Bring the metastore to the schema of this flowd. May be run again, and by several nodes at once."""
    from flowd.db.migrate import upgrade

    note(str(_with_schema(upgrade)))


@app.command("init", hidden=True)
def init() -> None:
    """As `flowd db migrate`, in Airflow's words."""
    migrate()


@app.command()
def check(output: OutputOption = Format.TABLE) -> None:
    """Say whether the metastore answers and has this flowd's schema: exit code 0 if so, 1 if not, 5 if it is away."""
    from flowd.db.revisions import SchemaState, current

    status = _with_schema(current)
    show_one({"state": status.state.value, "found": status.found, "wanted": status.wanted}, output)
    if status.state is not SchemaState.UP_TO_DATE:
        note(str(status))
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help='A revision, or "base" for none: every table is dropped then.')],
    yes: YesOption = False,
) -> None:
    """Take the schema back to a revision. Back up first: what only newer revisions can hold is lost."""
    from flowd.db.migrate import downgrade

    confirm(f"Take the metastore's schema back to {revision}, and lose what it cannot hold?", yes)
    note(str(_with_schema(lambda metastore: downgrade(metastore, revision))))


@app.command()
def reset(yes: YesOption = False) -> None:
    """Drop everything in the metastore and begin anew: DAGs, runs, users, variables, connections."""
    from flowd.db.migrate import reset

    confirm("Drop everything that flowd has in the metastore?", yes)
    note(str(_with_schema(reset)))


@app.command()
def clean(
    older_than: Annotated[str, typer.Option("--older-than", help="How long ago a run must have ended, as 90d.")],
    batch: Annotated[int, typer.Option("--batch", min=1, help="How many runs one transaction deletes.")] = 200,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many runs would go.")] = False,
    yes: YesOption = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Delete finished runs that are older, with their tasks and XComs, and the DAG versions that none uses any more."""
    from dataclasses import asdict

    from flowd.db.retention import count_finished_runs
    from flowd.settings.units import parse_duration

    try:
        age = parse_duration(older_than)
    except ValueError as error:
        raise InvalidInput(f"--older-than: {error}") from error
    settings = read_settings_without_keys()
    count = with_metastore(settings, lambda metastore: count_finished_runs(metastore, age))
    if dry_run:
        show_one({"runs": count}, output)
        return
    confirm(f"Delete {count} runs that ended more than {older_than} ago?", yes)
    deleted = with_metastore(settings, lambda metastore: _delete(metastore, age, batch, count))
    show_one(asdict(deleted), output)


async def _delete(metastore: "Metastore", age: "timedelta", batch: int, count: int) -> "Deleted":
    from rich.console import Console
    from rich.progress import Progress

    from flowd.db.retention import delete_finished_runs

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Deleting runs", total=count)
        return await delete_finished_runs(
            metastore, age, batch=batch, on_batch=lambda runs: progress.advance(bar, runs)
        )


def _with_schema(action: "Callable[[Metastore], Awaitable[SchemaStatus]]") -> "SchemaStatus":
    """What `action` makes of the metastore, whose schema may be any."""
    refuse_server()
    settings = read_settings_without_keys()

    async def run() -> "SchemaStatus":
        async with connected(settings) as metastore:
            return await action(metastore)

    return asyncio.run(run())
