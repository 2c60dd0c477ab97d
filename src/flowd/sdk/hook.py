"""BaseHook: what hooks to outside systems derive from."""

import logging
from typing import Any

from flowd.sdk.connection import Connection


class BaseHook:
    """A client of an outside system, made from a connection."""

    conn_name_attr = "conn_id"
    default_conn_name = "default"

    def __init__(self, logger_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._logger_name = logger_name

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return the connection of this id; raise AirflowNotFoundException where there is none."""
        return Connection.get(conn_id)

    @classmethod
    async def aget_connection(cls, conn_id: str) -> Connection:
        """Return the connection of this id, without blocking other coroutines."""
        from asyncio import to_thread

        return await to_thread(cls.get_connection, conn_id)

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> Any:
        """Return the hook of the connection's type; raise AirflowException where no installed provider has it."""
        return cls.get_connection(conn_id).get_hook(hook_params=hook_params)

    @classmethod
    async def aget_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> Any:
        """Return the hook of the connection's type, without blocking other coroutines."""
        return (await cls.aget_connection(conn_id)).get_hook(hook_params=hook_params)

    def get_conn(self) -> Any:
        """Return the client; each hook defines its own."""
        raise NotImplementedError(f"{type(self).__name__} must define get_conn()")

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form fields of the hook's own; flowd's pages have none."""
        return {}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form of a connection looks; flowd's pages do not ask."""
        return {}

    @property
    def log(self) -> logging.Logger:
        """The hook's logger; what it says is in the task's log."""
        name = getattr(self, "_logger_name", None) or f"{type(self).__module__}.{type(self).__qualname__}"
        return logging.getLogger(name)
