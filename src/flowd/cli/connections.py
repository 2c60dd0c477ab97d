"""`flowd connections`: addresses and credentials that tasks look up by name."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowd.cli.bulk import bulk
from flowd.cli.client.current import api
from flowd.cli.exit_codes import ExitCode
from flowd.cli.lazy import new_app
from flowd.cli.options import (
    FileArgument,
    LimitOption,
    OrderOption,
    OutputOption,
    YesOption,
    confirm,
    read_object,
    read_text,
    write_text,
)
from flowd.cli.output import Format, note, note_problems, show_one, show_rows
from flowd.cli.session import with_secrets
from flowd.domain.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from flowd.db.metastore import Metastore
    from flowd.db.secrets_store import Connections
    from flowd.settings.model import Settings

app = new_app("Addresses and credentials that tasks look up by name.")

COLUMNS = ("connection_id", "conn_type", "host", "port", "schema", "login", "description")
STDIN = "-"
URI_LINES = ".env"
FIELDS = {"conn_type", "host", "login", "password", "schema", "port", "extra", "description"}

Json = dict[str, Any]

IdArgument = Annotated[str, typer.Argument(metavar="CONN_ID", help="The connection.")]
IdsArgument = Annotated[list[str], typer.Argument(metavar="CONN_ID...", help="The connections.")]


@app.command("list")
def list_connections(
    pattern: Annotated[str | None, typer.Argument(help="Only where the id contains this.")] = None,
    conn_type: Annotated[list[str] | None, typer.Option("--type", help="Only of this type; may be repeated.")] = None,
    order_by: OrderOption = None,
    limit: LimitOption = 0,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show every connection, without passwords."""
    query = {"connection_id_pattern": pattern, "conn_type": conn_type, "order_by": order_by}
    rows = api().listed("GET /api/v2/connections", "connections", limit=limit, query=query)
    note_problems(rows)
    show_rows(rows, COLUMNS, output, empty="No connections yet: `flowd connections set ID --uri URI` makes one.")


@app.command()
def get(
    conn_id: IdArgument,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="With its password, as a URI; only where the cluster's settings are.")
    ] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show one connection, its secrets hidden."""
    if not reveal:
        show_one(api().call("GET /api/v2/connections/{connection_id}", connection_id=conn_id), output)
        return
    from flowd.db.connection_uri import to_uri

    found = with_secrets(lambda settings, metastore: _stored(settings, metastore).get(conn_id))
    show_one({**asdict(found), "uri": to_uri(found)}, output)


@app.command("set")
@app.command("add", hidden=True)
def set_connection(
    conn_id: IdArgument,
    uri: Annotated[
        str,
        typer.Option("--uri", "--conn-uri", help="All in one: TYPE://LOGIN:PASSWORD@HOST:PORT/SCHEMA; - reads it."),
    ] = "",
    conn_type: Annotated[str, typer.Option("--type", "--conn-type", help="As postgres, http or generic.")] = "",
    host: Annotated[str, typer.Option("--host", "--conn-host", help="Host.")] = "",
    login: Annotated[str, typer.Option("--login", "--conn-login", help="Login.")] = "",
    password: Annotated[
        str, typer.Option("--password", "--conn-password", help="Password; - reads it: other users see arguments.")
    ] = "",
    schema: Annotated[str, typer.Option("--schema", "--conn-schema", help="Schema or database.")] = "",
    port: Annotated[int | None, typer.Option("--port", "--conn-port", help="Port.")] = None,
    extra: Annotated[str, typer.Option("--extra", "--conn-extra", help="A JSON object, as text.")] = "",
    description: Annotated[str, typer.Option("--description", "--conn-description", help="What it is for.")] = "",
) -> None:
    """Make a connection, or replace it: from a URI, or from its parts."""
    if uri and any((conn_type, host, login, password, schema, port is not None, extra)):
        raise InvalidInput("--uri says all of a connection; give it alone, or the parts without it")
    body = {
        "connection_id": conn_id,
        "conn_type": conn_type,
        "host": host,
        "login": login,
        "password": _read(password),
        "schema": schema,
        "port": port,
        "extra": extra,
    }
    if uri:
        body = _of_uri(conn_id, _read(uri))
    body = {**body, "description": description}
    try:
        api().call("POST /api/v2/connections", body=body)
    except Conflict:
        api().call("PATCH /api/v2/connections/{connection_id}", body=body, connection_id=conn_id)
    note(f"Connection {conn_id} is set.")


@app.command("test")
def test_connection(conn_id: IdArgument) -> None:
    """Say whether what a connection names answers, asked from the api node; exit code 1 where it does not.

    Only where FLOWD__API__TEST_CONNECTIONS allows it.
    """
    stored = api().call("GET /api/v2/connections/{connection_id}", connection_id=conn_id)
    body = {name: stored[name] for name in ("connection_id", "conn_type")}
    tested = api().call("POST /api/v2/connections/test", body=body)
    note(f"Connection {conn_id} {'answers' if tested['status'] else 'does not answer as wanted'}: {tested['message']}")
    if not tested["status"]:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def delete(conn_ids: IdsArgument, yes: YesOption = False) -> None:
    """Remove connections."""
    confirm(f"Delete connection {', '.join(conn_ids)}?", yes)
    for conn_id in conn_ids:
        api().call("DELETE /api/v2/connections/{connection_id}", connection_id=conn_id)
        note(f"Connection {conn_id} is deleted.")


@app.command("import")
def import_connections(file: FileArgument) -> None:
    """Make or replace the connections of a file: Airflow's JSON, or ID=URI lines in a file named *.env."""
    if file.endswith(URI_LINES):
        lines = [line.strip() for line in read_text(file).splitlines()]
        pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
        found = [_of_uri(conn_id.strip(), uri.strip()) for conn_id, _, uri in pairs]
    else:
        found = [_of_entry(file, conn_id, given) for conn_id, given in read_object(file).items()]
    bulk("PATCH /api/v2/connections", "create", found, "Importing connections", overwrite=True)
    note(f"{len(found)} connections are imported.")


@app.command("export")
def export_connections(file: FileArgument = "-") -> None:
    """Write every connection, in clear, to a file only you can read. The API shows no secrets: not over it.

    It is JSON, or ID=URI lines where the file is named *.env.
    """
    from flowd.db.connection_uri import to_uri

    found = with_secrets(lambda settings, metastore: _stored(settings, metastore).list())
    if file.endswith(URI_LINES):
        write_text(file, "".join(f"{one.conn_id}={to_uri(one)}\n" for one in found), is_secret=True)
        return
    document = {one.conn_id: {key: value for key, value in asdict(one).items() if key != "conn_id"} for one in found}
    write_text(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n", is_secret=True)


@app.command()
def rotate() -> None:
    """Encrypt every connection anew with the first of FLOWD__SECURITY__FERNET_KEY, where the keys are."""
    count = with_secrets(lambda settings, metastore: _stored(settings, metastore).rotate())
    note(f"{count} connections are encrypted with the first key.")


def _read(given: str) -> str:
    """What was given, or a line of standard input for "-"."""
    return sys.stdin.readline().rstrip("\r\n") if given == STDIN else given


def _of_uri(conn_id: str, uri: str) -> Json:
    """The API's shape of a connection that is given as a URI."""
    from flowd.db.connection_uri import parse_uri

    found = asdict(parse_uri(conn_id, uri))
    return {"connection_id": found.pop("conn_id"), **found}


def _of_entry(file: str, conn_id: str, given: Any) -> Json:
    """The API's shape of a connection of Airflow's export: a URI, or an object whose extra may be an object too."""
    if isinstance(given, str):
        return _of_uri(conn_id, given)
    if not isinstance(given, Mapping) or not given.get("conn_type") or not set(given) <= FIELDS:
        raise InvalidInput(f"{file}: connection {conn_id!r} wants a conn_type, and of the rest any of {sorted(FIELDS)}")
    values = {key: value for key, value in given.items() if value not in (None, "")}
    port, extra = values.pop("port", None), values.pop("extra", "")
    if port is not None and not str(port).isdecimal():
        raise InvalidInput(f"{file}: connection {conn_id!r} has port {port!r}; wanted a number")
    return {
        "connection_id": conn_id,
        "port": None if port is None else int(port),
        "extra": extra if isinstance(extra, str) else json.dumps(extra),
        **{key: str(value) for key, value in values.items()},
    }


def _stored(settings: "Settings", metastore: "Metastore") -> "Connections":
    from flowd.db.secrets_store import Connections
    from flowd.security.vault import Vault

    return Connections(metastore, Vault(settings.security.fernet_keys))
