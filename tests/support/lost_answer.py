"""LostAnswer: a metastore whose COMMIT is done, and whose answer does not come."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.errors import MetastoreUnavailable


class LostAnswer(Metastore):
    """A metastore that can lose the answer to its next COMMIT."""

    is_next_lost = False

    @asynccontextmanager
    async def transaction(self, *, is_brief: bool = False) -> AsyncIterator[Transaction]:
        """Write, and be told nothing of it where that is wanted."""
        async with super().transaction(is_brief=is_brief) as tx:
            yield tx
        if self.is_next_lost:
            self.is_next_lost = False
            raise MetastoreUnavailable("the connection broke while the answer to COMMIT was under way")
