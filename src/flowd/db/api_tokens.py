"""API tokens: named secrets that let a script in as somebody, until they expire or are revoked."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from flowd.db import audit
from flowd.db.accounts import Account, account_of
from flowd.db.actor import Actor, Change
from flowd.db.metastore import Metastore
from flowd.db.moments import from_db, to_db
from flowd.db.tables import account, api_token
from flowd.domain.errors import Conflict, InvalidInput, NotFound, Unauthorised
from flowd.security.account_role import AccountRole

PREFIX = "flowd_"
"""How every token begins, so that scanners of repositories find one that was left there."""

TOKEN_BYTES = 32
LONGEST_NAME = 100
LONGEST_LIFETIME = timedelta(days=3660)
NOTED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token as it may be shown: whose it is, the most it may do, and until when."""

    username: str
    name: str
    role: AccountRole
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    """To the hour."""

    last_used_from: str | None


class ApiTokens:
    """The API tokens in the metastore, which knows only their hashes. Every method is one transaction."""

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    async def create(
        self, username: str, name: str, lifetime: timedelta, role: AccountRole | None = None
    ) -> tuple[str, ApiToken]:
        """Return a new secret, which is shown only now, and what is kept of it.

        Without a role it may do what its owner may; never more, whatever becomes of the owner. Raises NotFound for an
        unknown owner, Conflict where they have a token of this name, InvalidInput for a role above theirs, a bad name
        or a lifetime that is none.
        """
        _check(name, lifetime)
        secret = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        try:
            async with self._metastore.transaction() as tx:
                owner = (await tx.execute(select(account).where(account.c.username == username))).mappings().first()
                if owner is None:
                    raise NotFound(f"there is no user {username!r}; `flowd users list` shows all")
                of_owner = account_of(owner).role
                if role is not None and not of_owner.includes(role):
                    raise InvalidInput(f"{username!r} is {of_owner}; a token of theirs cannot be {role}")
                now = await tx.now()
                row = {
                    "token_hash": _hash(secret),
                    "username": username,
                    "name": name,
                    "role": (role or of_owner).value,
                    "created_at": to_db(now),
                    "expires_at": to_db(now + lifetime),
                    "last_used_at": None,
                    "last_used_from": None,
                }
                await tx.execute(insert(api_token).values(row))
                after = {"role": row["role"], "expires_at": (now + lifetime).isoformat()}
                tx.tell(f"token {name} of user {username}", None, after)
        except IntegrityError as error:
            raise Conflict(
                f"user {username!r} has a token {name!r} already; revoke it, or choose another name"
            ) from error
        return secret, _shown(row)

    async def list(self, username: str | None = None) -> list[ApiToken]:
        """Return the tokens of one account or of all, by owner and name, those that have expired included."""
        statement = select(api_token).order_by(api_token.c.username, api_token.c.name)
        if username is not None:
            statement = statement.where(api_token.c.username == username)
        async with self._metastore.reading() as tx:
            return [_shown(row) for row in (await tx.execute(statement)).mappings()]

    async def revoke(self, username: str, name: str) -> None:
        """Let a token in no more; raise NotFound where there is none."""
        is_this = (api_token.c.username == username) & (api_token.c.name == name)
        async with self._metastore.transaction() as tx:
            row = (await tx.execute(select(api_token).where(is_this))).mappings().one_or_none()
            if row is None:
                raise NotFound(f"user {username!r} has no token {name!r}; `flowd tokens list` shows all")
            await tx.execute(delete(api_token).where(is_this))
            before = {"role": row["role"], "expires_at": from_db(row["expires_at"]).isoformat()}
            tx.tell(f"token {name} of user {username}", before, None)

    async def account_of(self, secret: str, *, address: str, request_id: str | None = None) -> Account:
        """Return its owner with the lower of both roles; raise Unauthorised where it is none, expired or revoked.

        When it was used last, and from which address, is noted once in `NOTED_EVERY`; an address that is not the one
        noted before is an event of the audit log.
        """
        of_token = (api_token.c[name] for name in ("name", "expires_at", "last_used_at", "last_used_from"))
        statement = select(*account.columns, api_token.c.role.label("token_role"), *of_token).join(
            api_token, api_token.c.username == account.c.username
        )
        async with self._metastore.reading() as tx:
            found = await tx.execute(statement.where(api_token.c.token_hash == _hash(secret), account.c.is_active))
            row = found.mappings().one_or_none()
            now = await tx.now()
        if row is None:
            raise Unauthorised("the API token is none of this cluster's, or was revoked")
        if row["expires_at"] <= to_db(now):
            raise Unauthorised("the API token has expired; `flowd tokens create` makes another")
        if (row["last_used_at"] or 0) <= to_db(now - NOTED_EVERY):
            await self._note_use(_hash(secret), row, address, request_id)
        owner, most = replace(account_of(row), api_token=row["name"]), AccountRole(row["token_role"])
        return replace(owner, role=most) if owner.role.includes(most) else owner

    async def _note_use(self, token_hash: str, row: Any, address: str, request_id: str | None) -> None:
        actor = Actor(name=row["username"], event="use_api_token", request_id=request_id)
        is_unnoted = (api_token.c.token_hash == token_hash) & (
            api_token.c.last_used_at == row["last_used_at"]
            if row["last_used_at"] is not None
            else api_token.c.last_used_at.is_(None)
        )
        async with self._metastore.transaction() as tx:
            values = {"last_used_at": to_db(await tx.now()), "last_used_from": address}
            noted = await tx.execute(update(api_token).where(is_unnoted).values(values))
            # Of many requests at the same time one notes it.
            if noted.rowcount and address != row["last_used_from"]:
                before, after = {"used_from": row["last_used_from"]}, {"used_from": address}
                change = Change(f"token {row['name']} of user {row['username']}", before, after)
                await audit.note(tx, actor, [change])


def _check(name: str, lifetime: timedelta) -> None:
    if name != name.strip() or not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(f"{name!r} is no name of a token; wanted 1 to {LONGEST_NAME} characters, no space around")
    if not timedelta() < lifetime <= LONGEST_LIFETIME:
        raise InvalidInput(f"a token cannot be good for {lifetime}; wanted at most {LONGEST_LIFETIME.days} days")


def _shown(row: Any) -> ApiToken:
    return ApiToken(
        username=row["username"],
        name=row["name"],
        role=AccountRole(row["role"]),
        created_at=from_db(row["created_at"]),
        expires_at=from_db(row["expires_at"]),
        last_used_at=from_db(row["last_used_at"]) if row["last_used_at"] is not None else None,
        last_used_from=row["last_used_from"],
    )


def _hash(secret: str) -> str:
    # No salt and no slow hash: 256 random bits cannot be guessed.
    return sha256(secret.encode("utf-8", "replace")).hexdigest()
