"""Accounts of people for whom a provider vouches: found by its own id of them, never by their name."""

from collections.abc import Iterable
from hashlib import sha256

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from flowd.db.accounts import Account, account_of, check_user_name, groups_to_json, keep_an_admin, shown
from flowd.db.metastore import Metastore
from flowd.db.moments import to_db
from flowd.db.tables import account
from flowd.db.transaction import Transaction
from flowd.domain.errors import Conflict, Unauthorised
from flowd.security.account_role import AccountRole


class ExternalAccounts:
    """The accounts in the metastore that are a provider's. Every method is one transaction."""

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    async def let_in(
        self, *, issuer: str, subject: str, username: str, role: AccountRole, groups: Iterable[str]
    ) -> Account:
        """Return the account of this person, made where it is new, with this role and these groups from now on.

        It keeps the name that it was made with. Raises Conflict where that name is somebody else's, or where the last
        Admin would be none; Unauthorised where the account is shut out; InvalidInput for what is no name.
        """
        check_user_name(username)
        # The two are kept apart by a character that no issuer, being a URL, has.
        identity = sha256(f"{issuer}\n{subject}".encode()).hexdigest()
        values = {"role": role.value, "member_of": groups_to_json(groups)}
        try:
            async with self._metastore.transaction() as tx:
                await self._write(tx, identity, username, values, role)
                row = (await tx.execute(select(account).where(account.c.identity == identity))).mappings().one()
                return account_of(row)
        except IntegrityError as error:
            raise Conflict(
                f"there is a user {username!r} already, whom the provider does not know as this one; an Admin may"
                " delete that account, or choose another claim for names"
            ) from error

    async def _write(
        self, tx: Transaction, identity: str, username: str, values: dict[str, str], role: AccountRole
    ) -> None:
        if role is not AccountRole.ADMIN:
            await keep_an_admin(tx, identity=identity)
        statement = select(account).where(account.c.identity == identity).with_for_update()
        row = (await tx.execute(statement)).mappings().one_or_none()
        if row is None:
            now = to_db(await tx.now())
            made = {
                **values,
                "username": username,
                "identity": identity,
                "is_active": True,
                "created_at": now,
                "generation": now,
            }
            tx.tell(f"user {username}", None, shown(made))
            await tx.execute(insert(account).values(made))
        elif not row["is_active"]:
            raise Unauthorised(f"the user {row['username']!r} is not active")
        elif (after := shown({**row, **values})) != (before := shown(dict(row))):
            tx.tell(f"user {row['username']}", before, after)
            await tx.execute(update(account).where(account.c.identity == identity).values(values))
