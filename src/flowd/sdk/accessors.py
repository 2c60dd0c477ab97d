"""`var` and `conn` in templates: variables and connections by attribute."""

from typing import Any

from flowd.sdk.connection import Connection
from flowd.sdk.exceptions import AirflowNotFoundException
from flowd.sdk.variable import Variable

_UNSET: Any = object()


class VariableAccessor:
    """`var.value.key` or `var.json.key`, and `.get("key", default)`."""

    def __init__(self, *, deserialize_json: bool) -> None:
        self._deserialize_json = deserialize_json

    def get(self, key: str, default: Any = _UNSET) -> Any:
        """Return the variable, or the default where there is none."""
        if default is _UNSET:
            return Variable.get(key, deserialize_json=self._deserialize_json)
        return Variable.get(key, default, deserialize_json=self._deserialize_json)

    def __getattr__(self, key: str) -> Any:
        # Jinja and copy ask for such names on their own; they are no variables.
        if key.startswith("__"):
            raise AttributeError(key)
        return self.get(key)

    def __getitem__(self, key: str) -> Any:
        return self.get(key)


class VariableAccessors:
    """`var`."""

    value = VariableAccessor(deserialize_json=False)
    json = VariableAccessor(deserialize_json=True)


class ConnectionAccessor:
    """`conn.my_connection.host`, and `conn.get("my_connection", default)`."""

    def get(self, conn_id: str, default: Any = _UNSET) -> Any:
        """Return the connection, or the default where there is none."""
        try:
            return Connection.get(conn_id)
        except AirflowNotFoundException:
            if default is _UNSET:
                raise
            return default

    def __getattr__(self, conn_id: str) -> Connection:
        if conn_id.startswith("__"):
            raise AttributeError(conn_id)
        return Connection.get(conn_id)
