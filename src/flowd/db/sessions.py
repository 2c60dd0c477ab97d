"""Sessions of browsers: who is logged in, until when. The metastore knows only hashes of what browsers hold."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import delete, insert, select

from flowd.db.accounts import Account, account_of
from flowd.db.metastore import Metastore
from flowd.db.moments import to_db
from flowd.db.tables import account, login_session
from flowd.domain.errors import Unauthorised

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is logged in, and the token that their forms must carry."""

    account: Account
    csrf_token: str


class Sessions:
    """The sessions in the metastore, readable by every node of the cluster. Every method is one transaction."""

    def __init__(self, metastore: Metastore, lifetime: timedelta) -> None:
        self._metastore = metastore
        self.lifetime = lifetime

    async def begin(self, username: str, instead_of: str | None = None) -> str:
        """Return the secret of a new session, and end the one `instead_of` which it begins.

        So a secret that somebody planted in a browser before the login is worth nothing after it.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        async with self._metastore.transaction() as tx:
            now = await tx.now()
            is_over = login_session.c.expires_at <= to_db(now)
            await tx.execute(delete(login_session).where(is_over))
            if instead_of is not None:
                await tx.execute(delete(login_session).where(login_session.c.token_hash == _hash(instead_of)))
            row = {"token_hash": _hash(token), "username": username, "expires_at": to_db(now + self.lifetime)}
            await tx.execute(insert(login_session).values(row))
        return token

    async def find(self, token: str) -> Session:
        """Return the session of this secret; raise Unauthorised where it is none, over, or its account is closed."""
        of_active = select(*account.columns, login_session.c.expires_at).join(
            login_session, login_session.c.username == account.c.username
        )
        async with self._metastore.reading() as tx:
            statement = of_active.where(login_session.c.token_hash == _hash(token), account.c.is_active)
            row = (await tx.execute(statement)).mappings().one_or_none()
            if row is None or row["expires_at"] <= to_db(await tx.now()):
                raise Unauthorised("the session is over; log in again")
        return Session(account=account_of(row), csrf_token=sha256(f"csrf {token}".encode()).hexdigest())

    async def end(self, token: str) -> None:
        """End a session, if it is one."""
        async with self._metastore.transaction() as tx:
            await tx.execute(delete(login_session).where(login_session.c.token_hash == _hash(token)))


def _hash(token: str) -> str:
    # No salt and no slow hash: 256 random bits cannot be guessed. A browser may send any byte.
    return sha256(token.encode("utf-8", "replace")).hexdigest()
