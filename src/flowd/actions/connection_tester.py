"""ConnectionTester: what tries a connection out, without running the code of hooks in the server."""

from dataclasses import dataclass
from typing import Protocol

from flowd.db.secrets_store import StoredConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """How it went: whether what the connection names answered as wanted, and words about it without its secrets."""

    is_ok: bool
    message: str


class ConnectionTester(Protocol):
    """Tries connections; implemented by a role, for it starts processes."""

    async def test(self, connection: StoredConnection) -> Tested:
        """Speak to what the connection names, from a bounded process of its own.

        Raises Unavailable where too many are being tested, or no process can be started.
        """
        ...
