"""Logins in the audit log: those that made no session, and those that failed."""

from dataclasses import replace

from sqlalchemy import select

from flowd.db import audit
from flowd.db.actor import Actor
from flowd.db.metastore import Metastore
from flowd.db.tables import account

NOBODY = "-"
"""Whose login failed where no account has the name: it is not kept, for people type passwords into the wrong field."""


class LoginLog:
    """Writes rows of the audit log. Each method is one transaction."""

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    async def succeeded(self, actor: Actor) -> None:
        """Note that somebody was let in."""
        async with self._metastore.transaction() as tx:
            await audit.note(tx, actor)

    async def failed(self, actor: Actor) -> None:
        """Note that somebody was not let in, by name where an account has it."""
        async with self._metastore.transaction() as tx:
            known = (await tx.execute(select(account.c.username).where(account.c.username == actor.name))).first()
            await audit.note(tx, actor if known else replace(actor, name=NOBODY))
