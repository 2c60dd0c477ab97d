"""Shapes of variables and connections."""

import json
from typing import Any, Self

from pydantic import Field, JsonValue, field_validator

from flowd.api.schemas.base import Body, Shape
from flowd.db.secrets_store import LONGEST_NAME, StoredConnection, StoredVariable, Unopened
from flowd.domain.telling_names import may_be_secret

HIDDEN = "***"


class VariableResponse(Shape):
    """A variable; a `problem` says why there is no value."""

    key: str
    value: str | None
    description: str | None
    is_encrypted: bool = True
    team_name: str | None = None
    problem: str | None = None

    @classmethod
    def of(cls, variable: StoredVariable | Unopened) -> Self:
        """Return the shape of a variable."""
        if isinstance(variable, Unopened):
            description = variable.description or None
            return cls(key=variable.name, value=None, description=description, problem=variable.problem)
        value = HIDDEN if may_be_secret(variable.name) and variable.value else variable.value
        return cls(key=variable.name, value=value, description=variable.description or None)


class VariableCollectionResponse(Shape):
    """A page of variables."""

    variables: list[VariableResponse]
    total_entries: int


class VariableBody(Body):
    """A variable; a value that is no text is kept as JSON."""

    key: str = Field(min_length=1, max_length=LONGEST_NAME)
    value: JsonValue
    description: str | None = None
    team_name: None = None

    def to_stored(self) -> StoredVariable:
        """Return the variable to store."""
        text = self.value if isinstance(self.value, str) else json.dumps(self.value)
        return StoredVariable(name=self.key, value=text, description=self.description or "")


class ConnectionResponse(Shape):
    """A connection; its password, and what in its extra looks like one, is hidden.

    A `problem` says why there is nothing but its id and type.
    """

    connection_id: str
    conn_type: str
    description: str | None
    host: str | None
    login: str | None
    schema_: str | None = Field(serialization_alias="schema")
    port: int | None
    password: str | None
    extra: str | None
    team_name: str | None = None
    problem: str | None = None

    @classmethod
    def of(cls, connection: StoredConnection | Unopened) -> Self:
        """Return the shape of a connection."""
        if isinstance(connection, Unopened):
            nothing = dict.fromkeys(("description", "host", "login", "schema_", "port", "password", "extra"))
            told = {"connection_id": connection.name, "conn_type": connection.conn_type, "problem": connection.problem}
            return cls.model_validate(nothing | told)
        return cls(
            connection_id=connection.conn_id,
            conn_type=connection.conn_type,
            description=connection.description or None,
            host=connection.host or None,
            login=connection.login or None,
            schema_=connection.schema or None,
            port=connection.port,
            password=HIDDEN if connection.password else None,
            extra=masked_extra(connection.extra),
        )


class ConnectionTestResponse(Shape):
    """Whether what a connection names answered as wanted, and words about it."""

    status: bool
    message: str


class ConnectionCollectionResponse(Shape):
    """A page of connections."""

    connections: list[ConnectionResponse]
    total_entries: int


class ConnectionBody(Body):
    """A connection; three stars as password, or in extra, leave what is stored."""

    connection_id: str = Field(min_length=1, max_length=200, pattern=r"^[\w.-]+$")
    conn_type: str = Field(min_length=1, max_length=500)
    description: str | None = None
    host: str | None = None
    login: str | None = None
    schema_: str | None = Field(None, alias="schema")
    port: int | None = Field(None, ge=0, le=65535)
    password: str | None = None
    extra: str | None = None
    team_name: None = None
    problem: None = Field(None, description="As it was shown: who changes a connection may send all of it back.")

    @field_validator("extra")
    @classmethod
    def _is_json_object(cls, extra: str | None) -> str | None:
        try:
            is_object = not extra or isinstance(json.loads(extra), dict)
        except ValueError:
            is_object = False
        if not is_object:
            raise ValueError("The `extra` field must be a valid JSON object (e.g., {'key': 'value'})")
        return extra

    @property
    def is_whole(self) -> bool:
        """Whether it says all of a connection, so that nothing of what is stored is needed."""
        fields = {"host", "login", "schema_", "port", "password", "extra"}
        return fields <= self.model_fields_set and HIDDEN != self.password and f'"{HIDDEN}"' not in (self.extra or "")

    def takes_secrets_of(self, before: StoredConnection) -> bool:
        """Return whether a test would send what is stored and not said here: the password, or what an extra holds."""
        is_password_kept = "password" not in self.model_fields_set or self.password == HIDDEN
        is_extra_kept = "extra" not in self.model_fields_set or f'"{HIDDEN}"' in (self.extra or "")
        return bool((is_password_kept and before.password) or (is_extra_kept and before.extra))

    def to_stored(self, before: StoredConnection | None = None) -> StoredConnection:
        """Return the connection to store; hidden parts are taken from `before`."""
        hidden_password = before.password if before else ""
        return StoredConnection(
            conn_id=self.connection_id,
            conn_type=self.conn_type,
            description=self.description or "",
            host=self.host or "",
            login=self.login or "",
            password=hidden_password if self.password == HIDDEN else self.password or "",
            schema=self.schema_ or "",
            port=self.port,
            extra=_unmasked(self.extra or "", before.extra if before else ""),
        )


def masked_extra(extra: str) -> str | None:
    """Return the JSON text of an extra with every value hidden whose name sounds secret, None for an empty one."""
    return json.dumps(_masked(json.loads(extra))) if extra else None


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: HIDDEN if may_be_secret(name) and one else _masked(one) for name, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value


def _unmasked(extra: str, before: str) -> str:
    if not extra or not before:
        return extra
    return json.dumps(_restored(json.loads(extra), json.loads(before)))


def _restored(value: Any, before: Any) -> Any:
    if value == HIDDEN:
        return before
    if isinstance(value, dict) and isinstance(before, dict):
        return {name: _restored(one, before[name]) if name in before else one for name, one in value.items()}
    return value
