"""People: their names, passwords and roles."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from flowd.db.metastore import Metastore
from flowd.db.moments import from_db, to_db
from flowd.db.tables import account, login_link
from flowd.domain.errors import Conflict, InvalidInput, NotFound, Unauthorised
from flowd.security.account_role import AccountRole
from flowd.security.passwords import hash_password, is_password

ADMIN = "admin"
LONGEST_NAME = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may log in, by password or, without one, by a one-time link only."""

    username: str
    role: AccountRole
    is_active: bool
    has_password: bool
    created_at: datetime


class Accounts:
    """The accounts in the metastore. Every method is one transaction; hashing happens outside of it, in a thread."""

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    async def create(self, username: str, role: AccountRole, password: str | None) -> Account:
        """Make an account and return it; raise Conflict where the name is taken, InvalidInput where it is none."""
        if username != username.strip() or not 1 <= len(username) <= LONGEST_NAME:
            raise InvalidInput(f"{username!r} is no user name; wanted 1 to {LONGEST_NAME} characters, no space around")
        password_hash = await _hashed(password)
        try:
            async with self._metastore.transaction() as tx:
                row = {
                    "username": username,
                    "password_hash": password_hash,
                    "role": role.value,
                    "is_active": True,
                    "created_at": to_db(await tx.now()),
                }
                await tx.execute(insert(account).values(row))
        except IntegrityError as error:
            raise Conflict(
                f"user {username!r} exists already; `flowd users reset-password` sets its password"
            ) from error
        return _account(row)

    async def ensure_admin(self, password: str | None) -> Account:
        """Return the account `admin`, made with this password where it is missing; an existing one is not changed."""
        try:
            return await self.get(ADMIN)
        except NotFound:
            try:
                return await self.create(ADMIN, AccountRole.ADMIN, password)
            except Conflict:
                return await self.get(ADMIN)

    async def list(self) -> list[Account]:
        """Return every account, by name."""
        async with self._metastore.reading() as tx:
            rows = (await tx.execute(select(account).order_by(account.c.username))).mappings()
            return [_account(row) for row in rows]

    async def get(self, username: str) -> Account:
        """Return one account; raise NotFound."""
        return _account(await self._row(username))

    async def delete(self, username: str) -> None:
        """Remove an account and its login links; raise NotFound."""
        async with self._metastore.transaction() as tx:
            await tx.execute(delete(login_link).where(login_link.c.username == username))
            result = await tx.execute(delete(account).where(account.c.username == username))
            _expect_one(result.rowcount, username)

    async def set_password(self, username: str, password: str) -> None:
        """Replace the password; raise NotFound. Login links that were issued before are void."""
        values = {"password_hash": await _hashed(password)}
        async with self._metastore.transaction() as tx:
            await tx.execute(delete(login_link).where(login_link.c.username == username))
            result = await tx.execute(update(account).where(account.c.username == username).values(values))
            _expect_one(result.rowcount, username)

    async def set_role(self, username: str, role: AccountRole) -> None:
        """Give the account another role; raise NotFound."""
        async with self._metastore.transaction() as tx:
            statement = update(account).where(account.c.username == username).values(role=role.value)
            _expect_one((await tx.execute(statement)).rowcount, username)

    async def authenticate(self, username: str, password: str) -> Account:
        """Return the account of this name and password; raise Unauthorised without saying which of the two is wrong."""
        try:
            row: Any = await self._row(username)
        except NotFound:
            row = {"password_hash": None, "is_active": False}
        is_right = await asyncio.to_thread(is_password, password, row["password_hash"])
        if not is_right or not row["is_active"]:
            raise Unauthorised("the user name or the password is wrong")
        return _account(row)

    async def _row(self, username: str) -> RowMapping:
        async with self._metastore.reading() as tx:
            row = (await tx.execute(select(account).where(account.c.username == username))).mappings().one_or_none()
        if row is None:
            raise _missing(username)
        return row


def _account(row: Any) -> Account:
    return Account(
        username=row["username"],
        role=AccountRole(row["role"]),
        is_active=bool(row["is_active"]),
        has_password=row["password_hash"] is not None,
        created_at=from_db(row["created_at"]),
    )


async def _hashed(password: str | None) -> str | None:
    return None if password is None else await asyncio.to_thread(hash_password, password)


def _expect_one(count: int, username: str) -> None:
    if not count:
        raise _missing(username)


def _missing(username: str) -> NotFound:
    return NotFound(f"there is no user {username!r}; `flowd users list` shows all")
