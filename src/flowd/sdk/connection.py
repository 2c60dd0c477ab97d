"""Connection: where an outside system is and how to log in, kept by the server, as a URI or as fields."""

import json
import os
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from flowd.sdk.exceptions import AirflowException, AirflowNotFoundException
from flowd.sdk.provider_packages import hook_classes, import_dotted
from flowd.sdk.secret_values import note_connection
from flowd.sdk.supervisor import ask, has_backends

_EXTRA_KEY = "__extra__"
_FIELDS = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port", "extra")


class Connection:
    """A connection. `extra` is text, most often JSON, which `extra_dejson` reads."""

    def __init__(
        self,
        conn_id: str | None = None,
        conn_type: str | None = None,
        description: str | None = None,
        host: str | None = None,
        login: str | None = None,
        password: str | None = None,
        schema: str | None = None,
        port: int | None = None,
        extra: str | dict[str, Any] | None = None,
        uri: str | None = None,
    ) -> None:
        self.conn_id = conn_id
        self.description = description
        self.conn_type, self.host, self.port = conn_type, host, None if port is None else int(port)
        self.login, self.password, self.schema = login, password, schema
        self.extra = json.dumps(extra) if isinstance(extra, dict) else extra
        if uri is not None:
            self._read_uri(uri)
        note_connection(self.password, self.extra)

    @classmethod
    def get(cls, conn_id: str) -> Self:
        """Return the connection of this id.

        A secret backend comes first, then `AIRFLOW_CONN_<ID>` (a URI or JSON) in the environment, then what the server
        keeps.
        """
        text = os.environ.get(f"AIRFLOW_CONN_{conn_id.upper()}")
        if text is not None and not has_backends():
            return cls._of_text(conn_id, text)
        answer = ask("connection_get", conn_id=conn_id, is_in_environment=text is not None)
        text = answer.get("text") or text
        if text is not None:
            return cls._of_text(conn_id, text)
        if not answer["found"]:
            raise AirflowNotFoundException(
                f"Connection {conn_id!r} does not exist: create it on the Connections page or set "
                f"AIRFLOW_CONN_{conn_id.upper()}"
            )
        return cls(**{field: answer["connection"].get(field) for field in _FIELDS})

    get_connection_from_secrets = get

    @classmethod
    def _of_text(cls, conn_id: str, text: str) -> Self:
        try:
            return cls.from_json(text, conn_id) if text.lstrip().startswith("{") else cls(conn_id, uri=text)
        except (ValueError, TypeError):
            # What is wrong is not quoted: it may be a part of the password.
            raise AirflowException(
                f"Connection {conn_id!r} of a secret backend or the environment cannot be read: wanted "
                "TYPE://LOGIN:PASSWORD@HOST:PORT/SCHEMA, each part URL-encoded, or a JSON object with the fields"
            ) from None

    @classmethod
    async def async_get(cls, conn_id: str) -> Self:
        """Return the connection of this id, without blocking other coroutines."""
        from asyncio import to_thread

        return await to_thread(cls.get, conn_id)

    @classmethod
    def from_uri(cls, uri: str, conn_id: str | None = None) -> Self:
        """Return the connection that the URI describes."""
        return cls(conn_id, uri=uri)

    def get_hook(self, *, hook_params: dict[str, Any] | None = None) -> Any:
        """Return the hook for the connection's type; raise AirflowException where no installed provider has one."""
        hook = hook_classes().get(self.conn_type or "")
        if hook is None:
            raise AirflowException(
                f"Connection {self.conn_id!r} is of type {self.conn_type!r}, for which no installed provider has a "
                "hook: install the provider beside flowd where workers run, or correct the connection's type"
            )
        made = import_dotted(hook)
        return made(**{getattr(made, "conn_name_attr", "conn_id"): self.conn_id}, **(hook_params or {}))

    @classmethod
    def from_json(cls, text: str, conn_id: str | None = None) -> Self:
        """Return the connection described by a JSON object with the fields of a connection."""
        fields = json.loads(text)
        unknown = sorted(set(fields) - set(_FIELDS) - {"uri"})
        if unknown:
            raise AirflowException(f"Connection {conn_id!r}: unknown fields {unknown}; known are {', '.join(_FIELDS)}")
        return cls(**{**fields, "conn_id": conn_id or fields.get("conn_id")})

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """`extra` read as JSON; empty where there is none or it is not an object."""
        try:
            extra = json.loads(self.extra) if self.extra else {}
        except ValueError:
            return {}
        return extra if isinstance(extra, dict) else {}

    def get_extra_dejson(self, nested: bool = False) -> dict[str, Any]:
        """Return `extra_dejson`; with `nested`, text in it that is JSON is read too."""
        return {key: _read(value) if nested else value for key, value in self.extra_dejson.items()}

    def get_password(self) -> str | None:
        """Return the password."""
        return self.password

    def get_extra(self) -> str | None:
        """Return `extra` as text."""
        return self.extra

    def set_extra(self, value: str) -> None:
        """Put other text in the place of `extra`."""
        self.extra = value

    def to_dict(self, *, prune_empty: bool = False, **_: Any) -> dict[str, Any]:
        """Return the fields, `extra` as an object; with `prune_empty`, those that are set."""
        fields = {field: getattr(self, field) for field in _FIELDS} | {"extra": self.extra_dejson or ""}
        return {name: value for name, value in fields.items() if value or not prune_empty}

    def get_uri(self) -> str:
        """Return the connection as `type://login:password@host:port/schema?extra`, which `Connection(uri=…)` reads."""
        user = ""
        if self.login is not None or self.password is not None:
            password = "" if self.password is None else f":{quote(self.password, safe='')}"
            user = f"{quote(self.login or '', safe='')}{password}@"
        host = quote(self.host or "", safe="")
        port = f":{self.port}" if self.port is not None else ""
        schema = f"/{quote(self.schema, safe='')}" if self.schema else ""
        uri = f"{(self.conn_type or '').replace('_', '-')}://{user}{host}{port}{schema}"
        if not self.extra:
            return uri
        extra = self.extra_dejson
        is_plain = bool(extra) and all(isinstance(value, str) for value in extra.values())
        query = urlencode(extra if is_plain else {_EXTRA_KEY: self.extra})
        return f"{uri if schema else uri + '/'}?{query}"

    def as_json(self) -> str:
        """Return the connection as a JSON object, without its id."""
        return json.dumps({field: value for field in _FIELDS[1:] if (value := getattr(self, field)) is not None})

    def __repr__(self) -> str:
        """Name the connection; its password is not shown."""
        return f"Connection({self.conn_id!r}, {self.conn_type!r}, host={self.host!r})"

    def _read_uri(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.conn_type = {"postgresql": "postgres"}.get(parts.scheme, parts.scheme.replace("-", "_"))
        # urlsplit().hostname would be in lower case, and a host may be a path written as %2Fvar%2Frun.
        _, _, address = parts.netloc.rpartition("@")
        host = address.rpartition(":")[0] if parts.port is not None else address.rstrip(":")
        self.host = unquote(host) or None
        self.port = parts.port
        self.login = None if parts.username is None else unquote(parts.username)
        self.password = None if parts.password is None else unquote(parts.password)
        self.schema = unquote(parts.path[1:]) or None
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if query:
            self.extra = query.get(_EXTRA_KEY) or json.dumps(query)


def _read(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
