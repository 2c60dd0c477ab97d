"""`flowd pools`: slots that tasks share."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flowd.cli.lazy import new_app
from flowd.cli.options import FileArgument, OutputOption, YesOption, confirm, read_object, write_text
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.session import read_settings_without_keys, with_metastore
from flowd.domain.errors import InvalidInput

if TYPE_CHECKING:
    from flowd.db.pools import Pool

app = new_app("Slots that tasks share.")

COLUMNS = ("name", "slots", "description", "include_deferred")

NameArgument = Annotated[str, typer.Argument(help="The pool.")]


@app.command("list")
def list_pools(output: OutputOption = Format.TABLE) -> None:
    """Show every pool."""
    from flowd.db.pools import Pools

    pools = with_metastore(read_settings_without_keys(), lambda metastore: Pools(metastore).list())
    show_rows([asdict(one) for one in pools], COLUMNS, output, empty="No pools: `flowd pools set` makes one.")


@app.command()
def get(name: NameArgument, output: OutputOption = Format.TABLE) -> None:
    """Show one pool."""
    from flowd.db.pools import Pools

    show_one(asdict(with_metastore(read_settings_without_keys(), lambda metastore: Pools(metastore).get(name))), output)


@app.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a number, not an option
def set_pool(
    name: NameArgument,
    slots: Annotated[int, typer.Argument(help="How many slots; -1 for no limit.")],
    description: Annotated[str, typer.Argument(help="What it is for.")] = "",
    include_deferred: Annotated[bool, typer.Option(help="Whether deferred tasks keep their slots.")] = False,
) -> None:
    """Make a pool, or change it."""
    from flowd.db.pools import Pool

    _store(Pool(name=name, slots=slots, description=description, include_deferred=include_deferred))
    note(f"Pool {name} has {slots} slots.")


@app.command()
def delete(name: NameArgument, yes: YesOption = False) -> None:
    """Remove a pool; tasks that name it wait until it is back."""
    from flowd.db.pools import Pools

    confirm(f"Delete pool {name}?", yes)
    with_metastore(read_settings_without_keys(), lambda metastore: Pools(metastore).delete(name))
    note(f"Pool {name} is deleted.")


@app.command("import")
def import_pools(file: FileArgument) -> None:
    """Make or change the pools of a JSON file, all or none, as `export` and Airflow write it."""
    from flowd.db.pools import Pool

    pools = []
    for name, values in read_object(file).items():
        match values:
            case {"slots": int(slots), **rest} if not isinstance(slots, bool):
                pools.append(
                    Pool(
                        name=name,
                        slots=slots,
                        description=str(rest.get("description") or ""),
                        include_deferred=bool(rest.get("include_deferred", False)),
                    )
                )
            case _:
                raise InvalidInput(f'{file}: pool {name!r} is {json.dumps(values)}; wanted {{"slots": NUMBER, …}}')
    _store(*pools)
    note(f"{len(pools)} pools are imported.")


@app.command("export")
def export_pools(file: FileArgument = "-") -> None:
    """Write every pool to a JSON file."""
    from flowd.db.pools import Pools

    pools = with_metastore(read_settings_without_keys(), lambda metastore: Pools(metastore).list())
    document = {one.name: {key: value for key, value in asdict(one).items() if key != "name"} for one in pools}
    write_text(file, json.dumps(document, indent=2) + "\n")


def _store(*pools: "Pool") -> None:
    from flowd.db.pools import Pools

    with_metastore(read_settings_without_keys(), lambda metastore: Pools(metastore).set(*pools))
