"""OidcLogin: the two steps of a login through a provider."""

from flowd.actions.backends import Backends
from flowd.api.oidc.intent import Intent
from flowd.api.oidc.membership import membership_of
from flowd.api.oidc.provider import Provider, refusal
from flowd.api.visit import Visit
from flowd.db.accounts import Account
from flowd.db.external_accounts import ExternalAccounts
from flowd.domain.errors import Unauthorised
from flowd.security.vault import Vault
from flowd.settings.model import Settings

CALLBACK = "/login/oidc/callback"
BY = "OpenID Connect"


class OidcLogin:
    """Lets in whom the provider vouches for, with the role that their groups there give."""

    def __init__(self, backends: Backends, settings: Settings, vault: Vault) -> None:
        self._backends = backends
        self._settings = settings.oidc
        self._redirect_uri = f"{settings.api.url}{CALLBACK}"
        self._vault = vault
        self._provider = Provider(settings.oidc, backends.clock)

    @property
    def label(self) -> str:
        """What people know the provider as."""
        return self._settings.label

    def check_answer(self, refused: tuple[str, str], issuer: str) -> None:
        """Raise Unauthorised where the provider has refused, or the answer is another provider's (RFC 9207)."""
        error, description = refused
        if error:
            raise Unauthorised(refusal(error, description))
        if issuer and issuer != self._settings.issuer:
            raise Unauthorised(f"the answer is of the provider {issuer!r}; wanted {self._settings.issuer!r}")

    async def begin(self, next: str) -> tuple[str, str]:
        """Return where the browser goes now, and what it keeps until it comes back; raise Unavailable."""
        intent = Intent.begin(next, self._backends.clock.now().timestamp())
        return await self._provider.login_url(intent, self._redirect_uri), intent.seal(self._vault)

    async def end(self, code: str, state: str, kept: str | None, visit: Visit) -> tuple[Account, str]:
        """Return who has logged in, and where they were going.

        The account is made at their first login, and has the role and the groups that the provider tells now. Raises
        Unauthorised, Conflict or InvalidInput, each with what to do; Unavailable where the provider is away.
        """
        intent = Intent.unseal(kept, self._vault, state, self._backends.clock.now().timestamp())
        member = membership_of(await self._provider.redeem(code, intent, self._redirect_uri), self._settings)
        actor = visit.actor("provision_user", member.username, BY)
        account = await ExternalAccounts(self._backends.metastore.acting_for(actor)).let_in(
            issuer=self._settings.issuer,
            subject=member.subject,
            username=member.username,
            role=member.role,
            groups=member.groups,
        )
        return account, intent.next
