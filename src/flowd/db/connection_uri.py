"""Connections as Airflow writes them in one line: `postgres://login:password@host:5432/schema?sslmode=require`."""

import json
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from flowd.db.secrets_store import StoredConnection
from flowd.domain.errors import InvalidInput

EXTRA = "__extra__"
"""The parameter in which Airflow puts an extra that is no flat object of texts."""


def parse_uri(conn_id: str, uri: str) -> StoredConnection:
    """Return the connection that `uri` writes; raise InvalidInput, without showing it, for a text that is none."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"the URI of connection {conn_id!r} cannot be read ({error})") from error
    if not parts.scheme:
        raise InvalidInput(
            f"the URI of connection {conn_id!r} has no type; wanted TYPE://LOGIN:PASSWORD@HOST:PORT/SCHEMA"
        )
    extra = dict(parse_qsl(parts.query, keep_blank_values=True))
    return StoredConnection(
        conn_id=conn_id,
        conn_type=parts.scheme.replace("-", "_"),
        host=unquote(parts.hostname or ""),
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        schema=unquote(parts.path.lstrip("/")),
        port=port,
        extra=extra[EXTRA] if EXTRA in extra else json.dumps(extra) if extra else "",
    )


def to_uri(connection: StoredConnection) -> str:
    """Return the line that `parse_uri` reads back as this connection, password and all."""
    secret = f":{quote(connection.password, safe='')}" if connection.password else ""
    who = f"{quote(connection.login, safe='')}{secret}@" if connection.login or secret else ""
    port = "" if connection.port is None else f":{connection.port}"
    query = f"?{_query(connection.extra)}" if connection.extra else ""
    host, schema = quote(connection.host, safe=""), quote(connection.schema, safe="")
    return f"{connection.conn_type.replace('_', '-')}://{who}{host}{port}/{schema}{query}"


def _query(extra: str) -> str:
    values = json.loads(extra)
    is_flat = isinstance(values, dict) and values and all(isinstance(value, str) for value in values.values())
    return urlencode(values if is_flat and EXTRA not in values else {EXTRA: extra})
