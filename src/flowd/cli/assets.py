"""`flowd assets`: what tasks make and wait for, and what has happened to it."""

import json
import uuid
from typing import Annotated, Any

import typer

from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    ConfOption,
    LimitOption,
    NoteOption,
    OrderOption,
    OutputOption,
    SinceOption,
    UntilOption,
    YesOption,
    conf_object,
    confirm,
    moment_text,
)
from flowd.cli.output import Format, note, show_one, show_rows, show_summary
from flowd.domain.errors import InvalidInput, NotFound

app = new_app("Assets: what tasks make and wait for, and what has happened to them.")

COLUMNS = ("id", "name", "uri", "group", "last_event:last_asset_event.timestamp")
EVENT_COLUMNS = ("id", "timestamp", "uri", "source_dag_id", "source_run_id", "source_task_id", "partition_key")
QUEUED_COLUMNS = ("dag_id", "asset_id", "created_at")

AssetArgument = Annotated[str, typer.Argument(metavar="ASSET", help="Its number, its name or its URI.")]
DagOption = Annotated[str | None, typer.Option("--dag-id", "-d", help="Of this DAG.")]


@app.command("list")
def list_assets(
    pattern: Annotated[str | None, typer.Argument(help="Only where the name contains this.")] = None,
    uri: Annotated[str | None, typer.Option("--uri", help="Only where the URI contains this.")] = None,
    dag_id: Annotated[list[str] | None, typer.Option("--dag-id", "-d", help="Only what this DAG uses.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that no DAG uses any more.")] = False,
    order_by: OrderOption = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the assets."""
    query = {
        "name_pattern": pattern,
        "uri_pattern": uri,
        "dag_ids": dag_id,
        "only_active": not all_,
        "order_by": order_by,
    }
    rows = api().listed("GET /api/v2/assets", "assets", limit=limit, query=query)
    show_rows(rows, COLUMNS, output, empty="No assets: DAGs name them as inlets, outlets or their schedule.")


@app.command()
@app.command("details", hidden=True)
def show(asset: AssetArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one asset: who makes it, and who waits for it."""
    show_one(api().call("GET /api/v2/assets/{asset_id}", asset_id=asset_number(asset)), output)


@app.command()
def aliases(
    alias_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="Only this one.")] = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the aliases of assets."""
    if alias_id is not None:
        show_one(api().call("GET /api/v2/assets/aliases/{asset_alias_id}", asset_alias_id=alias_id), output)
        return
    rows = api().listed("GET /api/v2/assets/aliases", "asset_aliases", limit=limit)
    show_rows(rows, ("id", "name", "group"), output, empty="No aliases.")


@app.command()
def events(
    asset: Annotated[str | None, typer.Argument(metavar="[ASSET]", help="Only of this one.")] = None,
    dag_id: Annotated[str | None, typer.Option("--dag-id", "-d", help="Only of a task of this DAG.")] = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="Only of this run.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show what has happened to assets, the newest first."""
    query = {
        "asset_id": None if asset is None else asset_number(asset),
        "source_dag_id": dag_id,
        "source_run_id": run_id,
        "timestamp_gte": moment_text(since),
        "timestamp_lte": moment_text(until),
        "order_by": "-timestamp",
    }
    rows = api().listed("GET /api/v2/assets/events", "asset_events", limit=limit, query=query)
    show_rows(rows, EVENT_COLUMNS, output, empty="No events.")


@app.command("create-event")
def create_event(
    asset: AssetArgument,
    extra: Annotated[str | None, typer.Option("--extra", help="A JSON object that goes with the event.")] = None,
    partition_key: Annotated[str | None, typer.Option("--partition-key", help="The partition it is about.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Say that an asset has changed: DAGs that wait for it run."""
    body = {
        "asset_id": asset_number(asset),
        "extra": conf_object(extra, "--extra"),
        "partition_key": partition_key,
    }
    show_summary(api().call("POST /api/v2/assets/events", body=body), EVENT_COLUMNS, output)


@app.command()
def materialize(
    asset: AssetArgument,
    conf: ConfOption = None,
    run_id: Annotated[str | None, typer.Option("--run-id", "-r", help="The run's id; one is made up else.")] = None,
    partition_key: Annotated[str | None, typer.Option("--partition-key", help="The partition it is about.")] = None,
    note_: NoteOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Run the DAG that makes an asset."""
    body = {
        "logical_date": None,
        "dag_run_id": run_id,
        "conf": conf_object(conf),
        "partition_key": partition_key,
        "note": note_,
    }
    key = {"Idempotency-Key": f"cli:{uuid.uuid4().hex}"}
    operation = "POST /api/v2/assets/{asset_id}/materialize"
    run = api().call(operation, body=body, headers=key, asset_id=asset_number(asset))
    show_summary(run, ("dag_id", "run_id:dag_run_id", "state"), output)


@app.command()
def queued(
    asset: Annotated[str | None, typer.Argument(metavar="[ASSET]", help="Events of this asset.")] = None,
    dag_id: DagOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show the events that wait until a DAG has all that it is scheduled by: of an asset, a DAG or both."""
    number = None if asset is None else asset_number(asset)
    if number is not None and dag_id is not None:
        operation = "GET /api/v2/dags/{dag_id}/assets/{asset_id}/queuedEvents"
        show_rows([api().call(operation, dag_id=dag_id, asset_id=number)], QUEUED_COLUMNS, output)
        return
    if number is not None:
        found = api().call("GET /api/v2/assets/{asset_id}/queuedEvents", asset_id=number)
    else:
        found = api().call("GET /api/v2/dags/{dag_id}/assets/queuedEvents", dag_id=_dag(dag_id))
    show_rows(found["queued_events"], QUEUED_COLUMNS, output, empty="Nothing waits.")


@app.command("forget-queued")
def forget_queued(
    asset: Annotated[str | None, typer.Argument(metavar="[ASSET]", help="Events of this asset.")] = None,
    dag_id: DagOption = None,
    yes: YesOption = False,
) -> None:
    """Let DAGs not run for what has happened until now: of an asset, a DAG or both."""
    number = None if asset is None else asset_number(asset)
    confirm(f"Forget the queued events of {' and '.join(one for one in (asset, dag_id) if one)}?", yes)
    if number is not None and dag_id is not None:
        operation = "DELETE /api/v2/dags/{dag_id}/assets/{asset_id}/queuedEvents"
        api().call(operation, dag_id=dag_id, asset_id=number)
    elif number is not None:
        api().call("DELETE /api/v2/assets/{asset_id}/queuedEvents", asset_id=number)
    else:
        api().call("DELETE /api/v2/dags/{dag_id}/assets/queuedEvents", dag_id=_dag(dag_id))
    note("They are forgotten.")


def asset_number(named: str) -> int:
    """Return the number of the asset of this number, name or URI; raise NotFound, or InvalidInput for several."""
    if named.isdecimal():
        return int(named)
    rows: list[dict[str, Any]] = []
    for query in ({"name": named}, {"uri": named}):
        rows += api().listed("GET /api/v2/assets", "assets", query={**query, "only_active": False})
    numbers = {row["id"] for row in rows}
    if not numbers:
        raise NotFound(f"there is no asset {json.dumps(named)}; `flowd assets list` shows all")
    if len(numbers) > 1:
        raise InvalidInput(f"{named!r} are the assets {', '.join(map(str, sorted(numbers)))}; give a number")
    return int(numbers.pop())


def _dag(dag_id: str | None) -> str:
    if dag_id is None:
        raise InvalidInput("neither an asset nor a DAG was given; wanted ASSET, --dag-id DAG_ID or both")
    return dag_id
