"""`flowd connections`: addresses and credentials that tasks look up by name."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowd.cli.lazy import new_app
from flowd.cli.options import FileArgument, OutputOption, YesOption, confirm, read_object, read_text, write_text
from flowd.cli.output import Format, note, show_one, show_rows
from flowd.cli.session import read_settings, with_metastore
from flowd.domain.errors import InvalidInput

if TYPE_CHECKING:
    from flowd.db.metastore import Metastore
    from flowd.db.secrets_store import Connections, StoredConnection
    from flowd.settings.model import Settings

app = new_app("Addresses and credentials that tasks look up by name.")

COLUMNS = ("conn_id", "conn_type", "host", "port", "schema", "login", "description")
HIDDEN = "***"
URI_LINES = ".env"

IdArgument = Annotated[str, typer.Argument(metavar="CONN_ID", help="The connection.")]


@app.command("list")
def list_connections(output: OutputOption = Format.TABLE) -> None:
    """Show every connection, without passwords and extras."""
    rows = [asdict(one) for one in _all()]
    show_rows(rows, COLUMNS, output, empty="No connections yet: `flowd connections set ID --uri URI` makes one.")


@app.command()
def get(
    conn_id: IdArgument,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the password and the extra.")] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show one connection."""
    from flowd.db.connection_uri import to_uri

    settings = read_settings()
    found = with_metastore(settings, lambda metastore: _of(settings, metastore).get(conn_id))
    row = asdict(found)
    if reveal:
        row["uri"] = to_uri(found)
    else:
        row |= {key: HIDDEN for key in ("password", "extra") if row[key]}
    show_one(row, output)


@app.command("set")
@app.command("add", hidden=True)
def set_connection(
    conn_id: IdArgument,
    uri: Annotated[
        str, typer.Option("--uri", "--conn-uri", help="All in one: TYPE://LOGIN:PASSWORD@HOST:PORT/SCHEMA")
    ] = "",
    conn_type: Annotated[str, typer.Option("--type", "--conn-type", help="As postgres, http or generic.")] = "",
    host: Annotated[str, typer.Option("--host", "--conn-host", help="Host.")] = "",
    login: Annotated[str, typer.Option("--login", "--conn-login", help="Login.")] = "",
    password: Annotated[str, typer.Option("--password", "--conn-password", help="Password.")] = "",
    schema: Annotated[str, typer.Option("--schema", "--conn-schema", help="Schema or database.")] = "",
    port: Annotated[int | None, typer.Option("--port", "--conn-port", help="Port.")] = None,
    extra: Annotated[str, typer.Option("--extra", "--conn-extra", help="A JSON text.")] = "",
    description: Annotated[str, typer.Option("--description", "--conn-description", help="What it is for.")] = "",
) -> None:
    """Make a connection, or replace it: from a URI, or from its parts."""
    from dataclasses import replace

    from flowd.db.connection_uri import parse_uri
    from flowd.db.secrets_store import StoredConnection

    if uri and any((conn_type, host, login, password, schema, port is not None, extra)):
        raise InvalidInput("--uri says all of a connection; give it alone, or the parts without it")
    if uri:
        _store(replace(parse_uri(conn_id, uri), description=description))
    else:
        _store(
            StoredConnection(
                conn_id=conn_id,
                conn_type=conn_type,
                host=host,
                login=login,
                password=password,
                schema=schema,
                port=port,
                extra=extra,
                description=description,
            )
        )
    note(f"Connection {conn_id} is set.")


@app.command()
def delete(conn_id: IdArgument, yes: YesOption = False) -> None:
    """Remove a connection."""
    confirm(f"Delete connection {conn_id}?", yes)
    settings = read_settings()
    with_metastore(settings, lambda metastore: _of(settings, metastore).delete(conn_id))
    note(f"Connection {conn_id} is deleted.")


@app.command("import")
def import_connections(file: FileArgument) -> None:
    """Make or replace the connections of a file, all or none: Airflow's JSON, or ID=URI lines in a file named *.env."""
    from flowd.db.connection_uri import parse_uri

    if file.endswith(URI_LINES):
        lines = [line.strip() for line in read_text(file).splitlines()]
        pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
        found = [parse_uri(conn_id.strip(), uri.strip()) for conn_id, _, uri in pairs]
    else:
        found = [_connection(file, conn_id, given) for conn_id, given in read_object(file).items()]
    _store(*found)
    note(f"{len(found)} connections are imported.")


@app.command("export")
def export_connections(file: FileArgument = "-") -> None:
    """Write every connection, in clear, to a file only you can read: JSON, or ID=URI lines where it is named *.env."""
    from flowd.db.connection_uri import to_uri

    found = _all()
    if file.endswith(URI_LINES):
        write_text(file, "".join(f"{one.conn_id}={to_uri(one)}\n" for one in found), is_secret=True)
        return
    document = {one.conn_id: {key: value for key, value in asdict(one).items() if key != "conn_id"} for one in found}
    write_text(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n", is_secret=True)


@app.command()
def rotate() -> None:
    """Encrypt every connection anew with the first of FLOWD__SECURITY__FERNET_KEY."""
    settings = read_settings()
    count = with_metastore(settings, lambda metastore: _of(settings, metastore).rotate())
    note(f"{count} connections are encrypted with the first key.")


def _connection(file: str, conn_id: str, given: Any) -> "StoredConnection":
    """A connection as Airflow's export has it: a URI, or an object whose extra may be an object too."""
    from flowd.db.connection_uri import parse_uri
    from flowd.db.secrets_store import StoredConnection

    if isinstance(given, str):
        return parse_uri(conn_id, given)
    known = {field.name for field in fields(StoredConnection)} - {"conn_id"}
    if not isinstance(given, Mapping) or not given.get("conn_type") or not set(given) <= known:
        raise InvalidInput(f"{file}: connection {conn_id!r} wants a conn_type, and of the rest any of {sorted(known)}")
    values = {key: value for key, value in given.items() if value not in (None, "")}
    port, extra = values.pop("port", None), values.pop("extra", "")
    if port is not None and not str(port).isdecimal():
        raise InvalidInput(f"{file}: connection {conn_id!r} has port {port!r}; wanted a number")
    return StoredConnection(
        conn_id=conn_id,
        port=None if port is None else int(port),
        extra=extra if isinstance(extra, str) else json.dumps(extra),
        **{key: str(value) for key, value in values.items()},
    )


def _all() -> "list[StoredConnection]":
    settings = read_settings()
    return with_metastore(settings, lambda metastore: _of(settings, metastore).list())


def _store(*connections: "StoredConnection") -> None:
    settings = read_settings()
    with_metastore(settings, lambda metastore: _of(settings, metastore).set(*connections))


def _of(settings: "Settings", metastore: "Metastore") -> "Connections":
    from flowd.db.secrets_store import Connections
    from flowd.security.vault import Vault

    return Connections(metastore, Vault(settings.security.fernet_keys))
