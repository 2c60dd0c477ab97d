"""Operator: whoever runs a command in one process with the app: who holds the settings holds all the data."""

from dataclasses import dataclass

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from flowd.db.accounts import Account

_KEY = "flowd.operator"
"""No server puts it into a scope, whatever a request says: only `OperatedApp` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An account that is in no table, and what the audit log calls what they do."""

    account: Account
    event: str


class OperatedApp:
    """The app, every request of which is the operator's. It must never be given to a server."""

    def __init__(self, app: ASGIApp, operator: Operator) -> None:
        self._app = app
        self._operator = operator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app({**scope, _KEY: self._operator}, receive, send)


def operator_of(request: Request) -> Operator | None:
    """Return the operator who asks, None for a request that came over the network."""
    operator: Operator | None = request.scope.get(_KEY)
    return operator
