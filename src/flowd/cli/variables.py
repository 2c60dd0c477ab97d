"""`flowd variables`: values that tasks look up by name."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flowd.cli.lazy import new_app
from flowd.cli.options import FileArgument, OutputOption, YesOption, confirm, read_object, write_text
from flowd.cli.output import Format, note, show_rows
from flowd.cli.session import read_settings, with_metastore
from flowd.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from flowd.db.metastore import Metastore
    from flowd.db.secrets_store import StoredVariable, Variables
    from flowd.settings.model import Settings

app = new_app("Values that tasks look up by name.")

NameArgument = Annotated[str, typer.Argument(help="The variable.")]


@app.command("list")
def list_variables(
    output: OutputOption = Format.TABLE,
    values: Annotated[bool, typer.Option("--values", help="Show the values as well.")] = False,
) -> None:
    """Show every variable."""
    settings = read_settings()
    empty = "No variables yet: `flowd variables set NAME VALUE` makes one."
    if values:
        variables = with_metastore(settings, lambda metastore: _of(settings, metastore).list())
        rows = [{"name": one.name, "value": one.value, "description": one.description} for one in variables]
        show_rows(rows, ("name", "value", "description"), output, empty=empty)
        return
    names = with_metastore(settings, lambda metastore: _of(settings, metastore).names())
    rows = [{"name": name, "description": description} for name, description in names.items()]
    show_rows(rows, ("name", "description"), output, empty=empty)


@app.command()
def get(
    name: NameArgument,
    default: Annotated[str | None, typer.Option("--default", "-d", help="Print this where there is none.")] = None,
) -> None:
    """Print the value of a variable."""
    settings = read_settings()
    try:
        print(with_metastore(settings, lambda metastore: _of(settings, metastore).get(name)).value)
    except NotFound:
        if default is None:
            raise
        print(default)


@app.command("set")
def set_variable(
    name: NameArgument,
    value: Annotated[str, typer.Argument(help="Its value; what is JSON, tasks can read as JSON.")],
    description: Annotated[str, typer.Option("--description", help="What it is for.")] = "",
    is_json: Annotated[bool, typer.Option("--json", "-j", help="Refuse a value that is no JSON.")] = False,
) -> None:
    """Make a variable, or change it."""
    from flowd.db.secrets_store import StoredVariable

    if is_json:
        try:
            json.loads(value)
        except ValueError as error:
            raise InvalidInput(f"the value of {name!r} is no JSON: {error}") from error
    _store(StoredVariable(name=name, value=value, description=description))
    note(f"Variable {name} is set.")


@app.command()
def delete(name: NameArgument, yes: YesOption = False) -> None:
    """Remove a variable."""
    confirm(f"Delete variable {name}?", yes)
    settings = read_settings()
    with_metastore(settings, lambda metastore: _of(settings, metastore).delete(name))
    note(f"Variable {name} is deleted.")


@app.command("import")
def import_variables(file: FileArgument) -> None:
    """Make or change the variables of a JSON file, all or none: {"name": value} or {"name": {"value": …}}."""
    from flowd.db.secrets_store import StoredVariable

    variables = []
    for name, given in read_object(file).items():
        match given:
            case {"value": value, **rest} if set(rest) <= {"description"}:
                description = str(rest.get("description") or "")
            case _:
                value, description = given, ""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        variables.append(StoredVariable(name=name, value=text, description=description))
    _store(*variables)
    note(f"{len(variables)} variables are imported.")


@app.command("export")
def export_variables(file: FileArgument = "-") -> None:
    """Write every variable, in clear, to a JSON file that only you can read."""
    settings = read_settings()
    variables = with_metastore(settings, lambda metastore: _of(settings, metastore).list())
    document = {
        one.name: {"value": one.value, "description": one.description} if one.description else one.value
        for one in variables
    }
    write_text(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n", is_secret=True)


@app.command()
def rotate() -> None:
    """Encrypt every variable anew with the first of FLOWD__SECURITY__FERNET_KEY."""
    settings = read_settings()
    count = with_metastore(settings, lambda metastore: _of(settings, metastore).rotate())
    note(f"{count} variables are encrypted with the first key.")


def _store(*variables: "StoredVariable") -> None:
    settings = read_settings()
    with_metastore(settings, lambda metastore: _of(settings, metastore).set(*variables))


def _of(settings: "Settings", metastore: "Metastore") -> "Variables":
    from flowd.db.secrets_store import Variables
    from flowd.security.vault import Vault

    return Variables(metastore, Vault(settings.security.fernet_keys))
