"""`flowd asset-state`: what is known of assets, over runs and DAGs."""

from typing import Annotated

import typer

from flowd.cli.assets import AssetArgument, asset_number
from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import LimitOption, OutputOption, YesOption, confirm
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.xcoms import json_value
from flowd.domain.errors import InvalidInput

app = new_app("What is known of assets, over runs and DAGs.")

KeyArgument = Annotated[str, typer.Argument(help="The key.")]


@app.command("list")
def list_kept(asset: AssetArgument, limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show what is kept of an asset."""
    operation = "GET /api/v2/assets/{asset_id}/state-store"
    rows = api().listed(operation, "asset_state_store", limit=limit, asset_id=asset_number(asset))
    show_rows(rows, ("key", "value", "updated_at"), output, empty="Nothing is kept of it.")


@app.command()
def get(asset: AssetArgument, key: KeyArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one value that is kept of an asset."""
    operation = "GET /api/v2/assets/{asset_id}/state-store/{key:path}"
    show_one(api().call(operation, asset_id=asset_number(asset), key=key), output)


@app.command("set")
def set_kept(asset: AssetArgument, key: KeyArgument, value: Annotated[str, typer.Argument(help="JSON.")]) -> None:
    """Keep a value of an asset, in the place of one of this key."""
    operation, body = "PUT /api/v2/assets/{asset_id}/state-store/{key:path}", {"value": json_value(value)}
    api().call(operation, body=body, asset_id=asset_number(asset), key=key)
    note(f"{key} of asset {asset} is kept.")


@app.command()
def delete(
    asset: AssetArgument,
    key: Annotated[str | None, typer.Argument(help="The key; everything with --all.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that is kept of it.")] = False,
    yes: YesOption = False,
) -> None:
    """Forget what is kept of an asset."""
    if (key is None) is not all_:
        raise InvalidInput("wanted either a key, or --all for everything")
    number = asset_number(asset)
    confirm(f"Forget {key or 'all'} of asset {asset}?", yes)
    if key is None:
        api().call("DELETE /api/v2/assets/{asset_id}/state-store", asset_id=number)
    else:
        api().call("DELETE /api/v2/assets/{asset_id}/state-store/{key:path}", asset_id=number, key=key)
    note("It is forgotten.")
