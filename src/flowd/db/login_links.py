"""One-time login links: a secret that logs one person in, once, soon."""

import secrets
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import delete, insert, select

from flowd.db.metastore import Metastore
from flowd.db.moments import to_db
from flowd.db.tables import account, login_link
from flowd.domain.errors import NotFound, Unauthorised

TOKEN_BYTES = 32
LIFETIME = timedelta(minutes=15)


class LoginLinks:
    """The login links in the metastore, which knows only their hashes. Every method is one transaction."""

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    async def issue(self, username: str, lifetime: timedelta = LIFETIME) -> str:
        """Return a new secret that logs `username` in once within `lifetime`; raise NotFound for an unknown name."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        async with self._metastore.transaction() as tx:
            known = await tx.execute(select(account.c.username).where(account.c.username == username))
            if known.first() is None:
                raise NotFound(f"there is no user {username!r} to log in; `flowd users list` shows all")
            now = await tx.now()
            await tx.execute(delete(login_link).where(login_link.c.expires_at <= to_db(now)))
            row = {"token_hash": _hash(token), "username": username, "expires_at": to_db(now + lifetime)}
            await tx.execute(insert(login_link).values(row))
            tx.tell(f"login link of user {username}", None, {})
        return token

    async def redeem(self, token: str) -> str:
        """Return whom the secret logs in, and void it; raise Unauthorised for one that is wrong, used or expired.

        Of two who redeem the same secret at the same time exactly one succeeds.
        """
        is_this = login_link.c.token_hash == _hash(token)
        async with self._metastore.transaction() as tx:
            of_active = select(login_link.c.username, login_link.c.expires_at).join(
                account, (account.c.username == login_link.c.username) & account.c.is_active
            )
            row = (await tx.execute(of_active.where(is_this))).first()
            # Who deletes the row has won: the statement is atomic where the SELECT before it is not.
            is_ours = (await tx.execute(delete(login_link).where(is_this))).rowcount == 1
            is_fresh = row is not None and row.expires_at > to_db(await tx.now())
        if row is None or not is_ours or not is_fresh:
            raise Unauthorised(
                "the login link is wrong, expired or used already; `flowd users login-link` makes another"
            )
        return str(row.username)


def _hash(token: str) -> str:
    # No salt and no slow hash: 256 random bits cannot be guessed.
    return sha256(token.encode()).hexdigest()
