"""BasicLogins: people who send their password with every request."""

import base64
import hmac
import secrets
from collections import OrderedDict

from flowd.api.login import LOGIN, PASSWORD, Login
from flowd.api.visit import Visit
from flowd.db.accounts import Account, Accounts
from flowd.db.login_log import LoginLog
from flowd.domain.errors import NotFound, Unauthorised

MOST_REMEMBERED = 1_000


class BasicLogins:
    """Lets in by user name and password.

    To check a password takes long by design. One that was right is remembered, as a keyed hash in the memory of this
    process, until the account has another one or is closed: so a script may ask often.
    """

    def __init__(self, login: Login, accounts: Accounts, log: LoginLog) -> None:
        self._login = login
        self._log = log
        self._accounts = accounts
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, int] = OrderedDict()

    async def account_of(self, credentials: str, visit: Visit) -> Account:
        """Return whom base64 of `user:password` lets in; raise Unauthorised, or TooManyAttempts for guessing."""
        try:
            username, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except ValueError as error:
            raise Unauthorised("the Authorization header holds no base64 of user:password") from error
        if not colon:
            raise Unauthorised("the Authorization header holds no base64 of user:password")
        digest = hmac.digest(self._key, f"{username}\0{password}".encode(), "sha256")
        if (known := await self._remembered(digest, username)) is not None:
            return known
        account = await self._login.by_password(username, password, visit)
        await self._log.succeeded(visit.actor(LOGIN, username, PASSWORD))
        self._known[digest] = account.generation
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return account

    async def _remembered(self, digest: bytes, username: str) -> Account | None:
        generation = self._known.get(digest)
        if generation is None:
            return None
        try:
            account = await self._accounts.get(username)
        except NotFound:
            account = None
        if account is None or not account.is_active or account.generation != generation:
            del self._known[digest]
            return None
        return account
