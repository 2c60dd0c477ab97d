"""BaseHook: what hooks to outside systems derive from."""

import logging

from flowd.sdk.connection import Connection


class BaseHook:
    """A client of an outside system, made from a connection."""

    conn_name_attr = "conn_id"
    default_conn_name = "default"

    def __init__(self, logger_name: str | None = None) -> None:
        self._logger_name = logger_name

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return the connection of this id; raise AirflowNotFoundException where there is none."""
        return Connection.get(conn_id)

    def get_conn(self) -> object:
        """Return the client; each hook defines its own."""
        raise NotImplementedError(f"{type(self).__name__} must define get_conn()")

    @property
    def log(self) -> logging.Logger:
        """The hook's logger; what it says is in the task's log."""
        return logging.getLogger(self._logger_name or f"{type(self).__module__}.{type(self).__qualname__}")
