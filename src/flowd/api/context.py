"""ApiContext: what the routes work with, made once by `create_app`."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from flowd.actions.backends import Backends
from flowd.actions.bundle_reader import BundleReader
from flowd.actions.connection_tester import ConnectionTester
from flowd.api.airflow2.basic_auth import BasicLogins
from flowd.api.delivery_rates import DeliveryRates
from flowd.api.login import Login
from flowd.api.metrics import ApiMetrics
from flowd.api.readiness import Readiness
from flowd.db.accounts import Account, Accounts
from flowd.db.actor import Actor
from flowd.db.api_tokens import ApiTokens
from flowd.db.login_log import LoginLog
from flowd.db.pools import Pools
from flowd.db.secrets_store import Connections, Variables
from flowd.db.sessions import Sessions
from flowd.db.views.dag_cards import DagCards
from flowd.logs.reader import LogReader
from flowd.security.tokens import TokenSigner
from flowd.security.vault import Vault
from flowd.settings.model import Settings

if TYPE_CHECKING:
    from flowd.api.oidc.oidc_login import OidcLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """The backends of the actions, the stores, and who is let in."""

    backends: Backends
    bundles: BundleReader
    tester: ConnectionTester
    settings: Settings
    readiness: Readiness
    metrics: ApiMetrics
    login: Login
    basic: BasicLogins
    deliveries: DeliveryRates
    tokens: TokenSigner
    oidc: "OidcLogin | None"
    vault: Vault
    cards: DagCards
    logs: LogReader

    def acting_for(self, actor: Actor) -> "ApiContext":
        """Return the same context, whose lists and changes are on behalf of `actor`."""
        return replace(self, backends=replace(self.backends, metastore=self.backends.metastore.acting_for(actor)))

    @property
    def accounts(self) -> Accounts:
        """The accounts."""
        return Accounts(self.backends.metastore)

    @property
    def api_tokens(self) -> ApiTokens:
        """The API tokens."""
        return ApiTokens(self.backends.metastore)

    @property
    def sessions(self) -> Sessions:
        """The sessions of browsers."""
        return Sessions(self.backends.metastore, self.settings.security.token_lifetime)

    @property
    def login_log(self) -> LoginLog:
        """The logins in the audit log."""
        return LoginLog(self.backends.metastore)

    @property
    def pools(self) -> Pools:
        """The pools."""
        return Pools(self.backends.metastore)

    @property
    def variables(self) -> Variables:
        """The variables, which this node can open."""
        return Variables(self.backends.metastore, self.vault)

    @property
    def connections(self) -> Connections:
        """The connections, which this node can open."""
        return Connections(self.backends.metastore, self.vault)


def context_of(request: Request) -> ApiContext:
    """Return the context of a request: behind the guard it acts for whoever asks."""
    context: ApiContext = getattr(request.state, "context", request.app.state.context)
    return context


def account_of(request: Request) -> Account:
    """Return who asks; set by the route's guard before anything else runs."""
    account: Account = request.state.account
    return account


Context = Annotated[ApiContext, Depends(context_of)]
Caller = Annotated[Account, Depends(account_of)]
