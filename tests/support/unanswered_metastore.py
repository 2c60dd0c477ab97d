"""A metastore that commits and then loses the answer, as a connection does that breaks at the wrong moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.errors import MetastoreUnavailable


class UnansweredMetastore(Metastore):
    """The next `commits_to_lose` transactions are committed, and their callers are not told."""

    commits_to_lose = 0

    @asynccontextmanager
    async def transaction(self, *, is_brief: bool = False) -> AsyncIterator[Transaction]:
        async with super().transaction(is_brief=is_brief) as tx:
            yield tx
        if self.commits_to_lose:
            self.commits_to_lose -= 1
            raise MetastoreUnavailable("the answer to the commit was lost")
