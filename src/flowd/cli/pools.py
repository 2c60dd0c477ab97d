"""`flowd pools`: slots that tasks share."""

import json
from typing import Annotated

import typer

from flowd.cli.bulk import bulk
from flowd.cli.client.current import api
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    FileArgument,
    LimitOption,
    OrderOption,
    OutputOption,
    YesOption,
    confirm,
    read_object,
    write_text,
)
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.domain.errors import InvalidInput

app = new_app("Slots that tasks share.")

COLUMNS = ("name", "slots", "open_slots", "running_slots", "queued_slots", "description", "include_deferred")

NameArgument = Annotated[str, typer.Argument(help="The pool.")]
NamesArgument = Annotated[list[str], typer.Argument(metavar="NAME...", help="The pools.")]


@app.command("list")
def list_pools(order_by: OrderOption = None, limit: LimitOption = 0, output: OutputOption = Format.TABLE) -> None:
    """Show every pool, and what of it is taken."""
    rows = api().listed("GET /api/v2/pools", "pools", limit=limit, query={"order_by": order_by})
    show_rows(rows, COLUMNS, output, empty="No pools: `flowd pools set` makes one.")


@app.command()
def get(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one pool."""
    show_one(api().call("GET /api/v2/pools/{pool_name:path}", pool_name=name), output)


@app.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a number, not an option
def set_pool(
    name: NameArgument,
    slots: Annotated[int, typer.Argument(help="How many slots; -1 for no limit.")],
    description: Annotated[str | None, typer.Argument(help="What it is for.")] = None,
    include_deferred: Annotated[bool | None, typer.Option(help="Whether deferred tasks keep their slots.")] = None,
) -> None:
    """Make a pool, or change it: what is not given stays."""
    body = {"name": name, "slots": slots, "description": description, "include_deferred": include_deferred}
    given = {key: value for key, value in body.items() if value is not None}
    if any(pool["name"] == name for pool in api().listed("GET /api/v2/pools", "pools", query={"name": name})):
        changed = {**{key: value for key, value in given.items() if key != "name"}, "pool": name}
        query = {"update_mask": [key for key in given if key != "name"]}
        api().call("PATCH /api/v2/pools/{pool_name:path}", query=query, body=changed, pool_name=name)
    else:
        api().call("POST /api/v2/pools", body=given)
    note(f"Pool {name} has {slots} slots.")


@app.command()
def delete(names: NamesArgument, yes: YesOption = False) -> None:
    """Remove pools; tasks that name them wait until they are back."""
    confirm(f"Delete pool {', '.join(names)}?", yes)
    for name in names:
        api().call("DELETE /api/v2/pools/{pool_name:path}", pool_name=name)
        note(f"Pool {name} is deleted.")


@app.command("import")
def import_pools(file: FileArgument) -> None:
    """Make or change the pools of a JSON file, as `export` and Airflow write it."""
    pools = []
    for name, values in read_object(file).items():
        match values:
            case {"slots": int(slots), **rest} if not isinstance(slots, bool):
                described = {"description": str(rest.get("description") or "")}
                deferred = {"include_deferred": bool(rest.get("include_deferred", False))}
                pools.append({"name": name, "slots": slots, **described, **deferred})
            case _:
                raise InvalidInput(f'{file}: pool {name!r} is {json.dumps(values)}; wanted {{"slots": NUMBER, …}}')
    bulk("PATCH /api/v2/pools", "create", pools, "Importing pools", overwrite=True)
    note(f"{len(pools)} pools are imported.")


@app.command("export")
def export_pools(file: FileArgument = "-") -> None:
    """Write every pool to a JSON file."""
    document = {
        one["name"]: {name: one[name] for name in ("slots", "description", "include_deferred")}
        for one in api().listed("GET /api/v2/pools", "pools")
    }
    write_text(file, json.dumps(document, indent=2) + "\n")
