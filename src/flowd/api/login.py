"""Login: by password or one-time link, with a brake on guessing."""

import asyncio
from collections import OrderedDict, deque

from flowd.api.visit import Visit
from flowd.clock import Clock
from flowd.db.accounts import Account, Accounts
from flowd.db.login_links import LoginLinks
from flowd.db.login_log import NOBODY, LoginLog
from flowd.domain.errors import FlowdError, Unauthorised

WINDOW_SECONDS = 60.0
MOST_FAILURES = 5
"""Failures of one name from one address."""

MOST_FAILURES_OF_NAME = 50
"""Failures of one name from everywhere: high, or anybody could lock anybody out."""

MOST_FAILURES_OF_ADDRESS = 100
"""Failures of one address: high, because it may be a load balancer's."""

LOGIN, FAILED, LOGOUT = "login", "login_failed", "logout"
"""What the audit log calls it."""

PASSWORD, LINK = "password", "login link"
"""By what somebody logs in."""

MOST_AT_ONCE = 4
"""Passwords checked at a time: each takes 64 MiB by design."""

MOST_REMEMBERED = 10_000
"""How many names and addresses are remembered; the oldest go first, so that guessing cannot fill the memory."""


class TooManyAttempts(FlowdError):
    """Somebody guesses; `retry_after_seconds` is when they may go on."""

    def __init__(self, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(
            f"too many failed logins within {WINDOW_SECONDS:g} seconds; try again in {retry_after_seconds:.0f} s"
        )


class Login:
    """Lets people in. Failures count by user name, by address and by both, on this node, and are in the audit log.

    What is refused without being looked at is not: guessing does not fill the log.
    """

    def __init__(self, accounts: Accounts, links: LoginLinks, log: LoginLog, clock: Clock) -> None:
        self._accounts = accounts
        self._links = links
        self._log = log
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def by_password(self, username: str, password: str, visit: Visit) -> Account:
        """Return the account; raise Unauthorised for a wrong name or password, TooManyAttempts for guessing."""
        limits = {
            f"both {visit.address} {username}": MOST_FAILURES,
            f"name {username}": MOST_FAILURES_OF_NAME,
            f"address {visit.address}": MOST_FAILURES_OF_ADDRESS,
        }
        for key, limit in limits.items():
            self._check(key, limit)
        # Counted before the answer is known, so that guesses made at the same time count as well.
        for key in limits:
            self._count(key)
        try:
            async with self._turns:
                account = await self._accounts.authenticate(username, password)
        except Unauthorised:
            await self._log.failed(visit.actor(FAILED, username, PASSWORD))
            raise
        for key in limits:
            self._failures.pop(key, None)
        return account

    async def by_link(self, token: str, visit: Visit) -> Account:
        """Return whom a one-time link lets in; raise Unauthorised for a wrong one, TooManyAttempts for guessing."""
        key = f"address {visit.address}"
        self._check(key, MOST_FAILURES_OF_ADDRESS)
        try:
            return await self._accounts.get(await self._links.redeem(token))
        except Unauthorised:
            self._count(key)
            await self._log.failed(visit.actor(FAILED, NOBODY, LINK))
            raise

    def _check(self, key: str, limit: int) -> None:
        failures = self._failures.get(key)
        if failures is None:
            return
        oldest_kept = self._clock.monotonic() - WINDOW_SECONDS
        while failures and failures[0] <= oldest_kept:
            failures.popleft()
        if len(failures) >= limit:
            raise TooManyAttempts(failures[0] - oldest_kept)

    def _count(self, key: str) -> None:
        self._failures.setdefault(key, deque()).append(self._clock.monotonic())
        self._failures.move_to_end(key)
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)
