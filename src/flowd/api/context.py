"""ApiContext: what the routes work with, made once by `create_app`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from flowd.actions.backends import Backends
from flowd.api.login import Login
from flowd.api.metrics import ApiMetrics
from flowd.api.readiness import Readiness
from flowd.api.sessions import Sessions
from flowd.db.accounts import Account, Accounts
from flowd.db.pools import Pools
from flowd.db.secrets_store import Connections, Variables
from flowd.db.views.dag_cards import DagCards
from flowd.logs.reader import LogReader
from flowd.security.tokens import TokenSigner
from flowd.settings.model import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """The backends of the actions, the stores, and who is let in."""

    backends: Backends
    settings: Settings
    readiness: Readiness
    metrics: ApiMetrics
    accounts: Accounts
    login: Login
    tokens: TokenSigner
    sessions: Sessions
    pools: Pools
    variables: Variables
    connections: Connections
    cards: DagCards
    logs: LogReader


def context_of(request: Request) -> ApiContext:
    """Return the context of the app that serves this request."""
    context: ApiContext = request.app.state.context
    return context


def account_of(request: Request) -> Account:
    """Return who asks; set by the route's guard before anything else runs."""
    account: Account = request.state.account
    return account


Context = Annotated[ApiContext, Depends(context_of)]
Caller = Annotated[Account, Depends(account_of)]
