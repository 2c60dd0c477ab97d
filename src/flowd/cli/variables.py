"""`flowd variables`: values that tasks look up by name."""

import json
from typing import TYPE_CHECKING, Annotated, Any

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
from flowd.cli.output import Format, note, note_problems, show_rows
from flowd.cli.session import with_secrets
from flowd.domain.errors import Conflict, InvalidInput, NotFound, Unauthorised

if TYPE_CHECKING:
    from flowd.db.metastore import Metastore
    from flowd.db.secrets_store import StoredVariable, Variables
    from flowd.settings.model import Settings

app = new_app("Values that tasks look up by name.")

HIDDEN = "***"

NameArgument = Annotated[str, typer.Argument(help="The variable.")]
NamesArgument = Annotated[list[str], typer.Argument(metavar="NAME...", help="The variables.")]


@app.command("list")
def list_variables(
    pattern: Annotated[str | None, typer.Argument(help="Only where the name contains this.")] = None,
    values: Annotated[bool, typer.Option("--values", help="Show the values as well.")] = False,
    order_by: OrderOption = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show every variable. Values whose names sound secret are hidden."""
    query = {"variable_key_pattern": pattern, "order_by": order_by}
    rows = api().listed("GET /api/v2/variables", "variables", limit=limit, query=query)
    columns = ("key", "value", "description") if values else ("key", "description")
    note_problems(rows)
    show_rows(rows, columns, output, empty="No variables yet: `flowd variables set NAME VALUE` makes one.")


@app.command()
def get(
    name: NameArgument,
    default: Annotated[str | None, typer.Option("--default", "-d", help="Print this where there is none.")] = None,
) -> None:
    """Print the value of a variable."""
    try:
        value = api().call("GET /api/v2/variables/{variable_key:path}", variable_key=name)["value"]
    except NotFound:
        if default is None:
            raise
        value = default
    if value == HIDDEN:
        value = _in_clear(name)
    print(value)


@app.command("set")
def set_variable(
    name: NameArgument,
    value: Annotated[str, typer.Argument(help="Its value; what is JSON, tasks can read as JSON.")],
    description: Annotated[str | None, typer.Option("--description", help="What it is for; it stays else.")] = None,
    is_json: Annotated[bool, typer.Option("--json", "-j", help="Refuse a value that is no JSON.")] = False,
) -> None:
    """Make a variable, or change it."""
    if is_json:
        try:
            json.loads(value)
        except ValueError as error:
            raise InvalidInput(f"the value of {name!r} is no JSON: {error}") from error
    body = {"key": name, "value": value} | ({} if description is None else {"description": description})
    try:
        api().call("POST /api/v2/variables", body=body)
    except Conflict:
        api().call("PATCH /api/v2/variables/{variable_key:path}", body=body, variable_key=name)
    note(f"Variable {name} is set.")


@app.command()
def delete(names: NamesArgument, yes: YesOption = False) -> None:
    """Remove variables."""
    confirm(f"Delete variable {', '.join(names)}?", yes)
    for name in names:
        api().call("DELETE /api/v2/variables/{variable_key:path}", variable_key=name)
        note(f"Variable {name} is deleted.")


@app.command("import")
def import_variables(file: FileArgument) -> None:
    """Make or change the variables of a JSON file: {"name": value} or {"name": {"value": …, "description": …}}."""
    variables: list[dict[str, Any]] = []
    for name, given in read_object(file).items():
        match given:
            case {"value": value, **rest} if set(rest) <= {"description"}:
                description = str(rest.get("description") or "")
            case _:
                value, description = given, ""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        variables.append({"key": name, "value": text, "description": description})
    bulk("PATCH /api/v2/variables", "create", variables, "Importing variables", overwrite=True)
    note(f"{len(variables)} variables are imported.")


@app.command("export")
def export_variables(file: FileArgument = "-") -> None:
    """Write every variable, in clear, to a JSON file that only you can read. The API shows no secrets: not over it."""
    variables = with_secrets(lambda settings, metastore: _of(settings, metastore).list())
    document = {
        one.name: {"value": one.value, "description": one.description} if one.description else one.value
        for one in variables
    }
    write_text(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n", is_secret=True)


@app.command()
def rotate() -> None:
    """Encrypt every variable anew with the first of FLOWD__SECURITY__FERNET_KEY, where the keys are."""
    count = with_secrets(lambda settings, metastore: _of(settings, metastore).rotate())
    note(f"{count} variables are encrypted with the first key.")


def _in_clear(name: str) -> str:
    """The value of a variable whose name sounds secret, for whoever has the keys."""
    if api().server is not None:
        raise Unauthorised(f"the API hides the value of {name!r}; read it where the cluster's settings are")
    found: StoredVariable = with_secrets(lambda settings, metastore: _of(settings, metastore).get(name))
    return found.value


def _of(settings: "Settings", metastore: "Metastore") -> "Variables":
    from flowd.db.secrets_store import Variables
    from flowd.security.vault import Vault

    return Variables(metastore, Vault(settings.security.fernet_keys))
