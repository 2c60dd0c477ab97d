"""People: their names, passwords and roles."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from flowd.db.metastore import Metastore
from flowd.db.moments import from_db, to_db
from flowd.db.tables import account, api_token, login_link, login_session
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict, InvalidInput, NotFound, Unauthorised
from flowd.security.account_role import AccountRole
from flowd.security.passwords import hash_password, is_password

ADMIN = "admin"
LONGEST_NAME = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may log in, by password or, without one, by a one-time link only.

    `groups` are teams, by which DAGs may let them in; they add nothing to the role.
    """

    username: str
    role: AccountRole
    groups: tuple[str, ...] = ()
    is_active: bool
    has_password: bool
    created_at: datetime
    generation: int
    """Access tokens of another generation are void: a new one begins with a new password, and when all is revoked."""

    api_token: str | None = None
    """The name of the API token by which they are here, None for whoever has logged in."""

    @property
    def dag_names(self) -> frozenset[str] | None:
        """The names by which restricted DAGs let them in; None for Op and Admin, whom all DAGs let in."""
        if self.role.includes(AccountRole.OP):
            return None
        return frozenset({self.username, self.role.value, *self.groups})


class Accounts:
    """The accounts in the metastore. Every method is one transaction; hashing happens outside of it, in a thread."""

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    async def create(
        self, username: str, role: AccountRole, password: str | None, groups: Iterable[str] = ()
    ) -> Account:
        """Make an account and return it; raise Conflict where the name is taken, InvalidInput where it is none."""
        check_user_name(username)
        password_hash = await _hashed(password)
        try:
            async with self._metastore.transaction() as tx:
                now = to_db(await tx.now())
                row = {
                    "username": username,
                    "password_hash": password_hash,
                    "role": role.value,
                    "member_of": groups_to_json(groups),
                    "is_active": True,
                    "created_at": now,
                    "generation": now,
                }
                await tx.execute(insert(account).values(row))
                tx.tell(f"user {username}", None, shown(row))
        except IntegrityError as error:
            raise Conflict(
                f"user {username!r} exists already; `flowd users reset-password` sets its password"
            ) from error
        return account_of(row)

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
            return [account_of(row) for row in rows]

    async def get(self, username: str) -> Account:
        """Return one account; raise NotFound."""
        return account_of(await self._row(username))

    async def delete(self, username: str) -> None:
        """Remove an account, with its sessions, tokens and login links; raise NotFound, Conflict for the last Admin."""
        async with self._metastore.transaction() as tx:
            await keep_an_admin(tx, username)
            tx.tell(f"user {username}", shown(await _locked(tx, username)), None)
            await _end_sessions(tx, username)
            await tx.execute(delete(api_token).where(api_token.c.username == username))
            await tx.execute(delete(account).where(account.c.username == username))

    async def change(
        self,
        username: str,
        *,
        role: AccountRole | None = None,
        groups: Iterable[str] | None = None,
        is_active: bool | None = None,
        password: str | None = None,
    ) -> None:
        """Change what is given of an account. Groups are those from now on.

        A new password, and shutting somebody out, void their sessions, login links and access tokens for good; API
        tokens let in again whom they belong to once that is let in. Raises NotFound, InvalidInput for a bad name of a
        group or a bad password, Conflict where no active Admin would be left.
        """
        values: dict[str, Any] = {}
        if role is not None:
            values["role"] = role.value
        if groups is not None:
            values["member_of"] = groups_to_json(groups)
        if is_active is not None:
            values["is_active"] = is_active
        if password is not None:
            values["password_hash"] = await _hashed(password)
        async with self._metastore.transaction() as tx:
            if is_active is False or role not in (None, AccountRole.ADMIN):
                await keep_an_admin(tx, username)
            before = await _locked(tx, username)
            if is_active is False or password is not None:
                await _end_sessions(tx, username)
                values["generation"] = to_db(await tx.now())
            if password is not None:
                tx.tell(f"password of user {username}", {}, {})
            if (after := shown({**before, **values})) != shown(before):
                tx.tell(f"user {username}", shown(before), after)
            if values:
                await tx.execute(update(account).where(account.c.username == username).values(values))

    async def set_password(self, username: str, password: str) -> None:
        """Replace the password; see `change`."""
        await self.change(username, password=password)

    async def set_role(self, username: str, role: AccountRole) -> None:
        """Give the account another role; see `change`."""
        await self.change(username, role=role)

    async def set_groups(self, username: str, groups: Iterable[str]) -> None:
        """Make the account a member of these groups and of no other; see `change`."""
        await self.change(username, groups=groups)

    async def revoke(self, username: str) -> None:
        """Void whatever lets this account in but its password: sessions, links, tokens of any kind; raise NotFound."""
        async with self._metastore.transaction() as tx:
            await _locked(tx, username)
            await _end_sessions(tx, username)
            await tx.execute(delete(api_token).where(api_token.c.username == username))
            values = {"generation": to_db(await tx.now())}
            tx.tell(f"sessions and tokens of user {username}", {}, None)
            await tx.execute(update(account).where(account.c.username == username).values(values))

    async def authenticate(self, username: str, password: str) -> Account:
        """Return the account of this name and password; raise Unauthorised without saying which of the two is wrong."""
        try:
            row: Any = await self._row(username)
        except NotFound:
            row = {"password_hash": None, "is_active": False}
        is_right = await asyncio.to_thread(is_password, password, row["password_hash"])
        if not is_right or not row["is_active"]:
            raise Unauthorised("the user name or the password is wrong")
        return account_of(row)

    async def _row(self, username: str) -> RowMapping:
        async with self._metastore.reading() as tx:
            row = (await tx.execute(select(account).where(account.c.username == username))).mappings().one_or_none()
        if row is None:
            raise _missing(username)
        return row


def account_of(row: Any) -> Account:
    """Return the account of a row that has the columns of its table."""
    return Account(
        username=row["username"],
        role=AccountRole(row["role"]),
        groups=tuple(json.loads(row["member_of"])),
        is_active=bool(row["is_active"]),
        has_password=row["password_hash"] is not None,
        created_at=from_db(row["created_at"]),
        generation=row["generation"],
    )


async def _locked(tx: Transaction, username: str) -> Mapping[str, Any]:
    """Return the row of an account, which stays as it is until the transaction ends; raise NotFound."""
    statement = select(account).where(account.c.username == username).with_for_update()
    row = (await tx.execute(statement)).mappings().one_or_none()
    if row is None:
        raise _missing(username)
    return dict(row)


async def keep_an_admin(tx: Transaction, username: str | None = None, *, identity: str | None = None) -> None:
    """Raise Conflict where this is the last Admin who is let in; the rows of all of them stay locked until the end."""
    is_admin = (account.c.role == AccountRole.ADMIN.value) & account.c.is_active
    columns = (account.c.username, account.c.identity)
    statement = select(*columns).where(is_admin).order_by(account.c.username).with_for_update()
    admins = (await tx.execute(statement)).all()
    if len(admins) == 1 and (admins[0].username == username or (identity and admins[0].identity == identity)):
        raise Conflict(f"user {admins[0].username!r} is the last Admin; make another one first")


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit log may tell of an account."""
    return {"role": row["role"], "groups": json.loads(row["member_of"]), "is_active": bool(row["is_active"])}


async def _end_sessions(tx: Transaction, username: str) -> None:
    for table in (login_session, login_link):
        await tx.execute(delete(table).where(table.c.username == username))


def groups_to_json(groups: Iterable[str]) -> str:
    """Return the names as the metastore keeps them; raise InvalidInput for what is no name of a group."""
    chosen = sorted(set(groups))
    for group in chosen:
        _check_name(group, "group")
    return json.dumps(chosen)


def check_user_name(name: str) -> None:
    """Raise InvalidInput for what cannot be the name of an account."""
    _check_name(name, "user")
    if "/" in name or not name.isprintable():
        raise InvalidInput(f"{name!r} is no user name: it has a slash or a character that cannot be seen")


def _check_name(name: str, what: str) -> None:
    if name != name.strip() or not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(f"{name!r} is no {what} name; wanted 1 to {LONGEST_NAME} characters, no space around")
    if name in set(AccountRole):
        raise InvalidInput(f"{name!r} is a role; a {what} needs a name of its own")


async def _hashed(password: str | None) -> str | None:
    return None if password is None else await asyncio.to_thread(hash_password, password)


def _missing(username: str) -> NotFound:
    return NotFound(f"there is no user {username!r}; `flowd users list` shows all")
