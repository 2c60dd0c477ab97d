"""Link: keeps one connection to the broker alive, over whichever of its hosts answers.

aio-pika's own connect_robust can lose a consumer without a word and let a publish wait for ever while it reconnects;
here a lost connection is simply over, and who needs one asks for the next.
"""

import asyncio
import random
import time

import structlog
from aiormq.exceptions import AuthenticationError, ProbableAuthenticationError

from flowd.cancellation import Cancellation
from flowd.domain.errors import QueueUnavailable
from flowd.queue.amqp.connection import BrokerConnection, LinkBroken, VhostRefused, answer
from flowd.queue.amqp.hosts import Hosts
from flowd.queue.broker_url import BrokerUrl

CONNECT_SECONDS = 5.0
CONNECT_SECONDS_PER_HOST = 2.0
"""Where there is another host to try: a silent one must not use up the time that a publish has."""

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 5.0
"""A connection that lived this long was a good one: the next attempt is the first again, and is made at once."""

log = structlog.get_logger(__name__)


class Link:
    """One supervised connection. `run` keeps it up; `connection` waits for it."""

    def __init__(self, url: BrokerUrl, *, name: str) -> None:
        self._url = url
        self._name = name
        self._hosts = Hosts(url.attempts)
        self._changed = asyncio.Event()
        self._current: BrokerConnection | None = None
        self._refusal: str | None = None
        self._last_failure = "not connected yet"

    @property
    def current(self) -> BrokerConnection | None:
        """The connection, if there is one at this moment."""
        connection = self._current
        return connection if connection is not None and connection.is_alive else None

    @property
    def last_failure(self) -> str:
        """Why there is no connection, in words."""
        return self._last_failure

    async def connection(self) -> BrokerConnection:
        """Wait for the connection; raise QueueUnavailable when the broker refuses our credentials or vhost."""
        while True:
            if (connection := self.current) is not None:
                return connection
            if self._refusal is not None:
                raise QueueUnavailable(
                    f"the broker {self._url} refuses us ({self._refusal}); check its user, password and vhost"
                )
            await self._changed.wait()

    async def suspect(self, connection: BrokerConnection | None) -> None:
        """Cut `connection` after a call went unanswered, unless the broker only holds back publishers."""
        if connection is not None and not await connection.is_blocked():
            connection.cut()

    async def run(self) -> None:
        """Keep a connection up until cancelled, then close it."""
        attempt, cancellation = 0, Cancellation()
        while True:
            connection = await self._connect_to_one_host()
            if connection is not None:
                since = time.monotonic()
                await self._hold(connection, cancellation)
                if time.monotonic() - since > STEADY_SECONDS:
                    attempt = 0
                    continue
            await asyncio.sleep(_pause_seconds(attempt))
            attempt += 1

    async def _hold(self, connection: BrokerConnection, cancellation: Cancellation) -> None:
        self._become(connection, refusal=None)
        log.info("queue connected", broker=str(self._url), host=connection.host, link=self._name)
        try:
            cancellation.heed()
            await connection.lost()
            self._hosts.failed(connection.attempt)
            self._last_failure = "the connection was lost"
            log.warning("queue connection lost", broker=str(self._url), host=connection.host, link=self._name)
        finally:
            self._become(None, refusal=None)
            await connection.shut()

    async def _connect_to_one_host(self) -> BrokerConnection | None:
        refusal: str | None = None
        seconds = CONNECT_SECONDS if len(self._hosts) == 1 else CONNECT_SECONDS_PER_HOST
        for url in self._hosts:
            connection = BrokerConnection(url, name=self._name)
            try:
                await answer(connection.connect(), seconds)
            except LinkBroken as exc:
                self._hosts.failed(url)
                self._last_failure = f"{connection.host}: {exc}"
                refusal = str(exc) if _is_refusal(exc.__cause__) else refusal
                await connection.shut()
            except BaseException:
                await connection.shut()
                raise
            else:
                return connection
        log.warning("queue unreachable", broker=str(self._url), link=self._name, reason=self._last_failure)
        self._become(None, refusal=refusal)
        return None

    def _become(self, connection: BrokerConnection | None, *, refusal: str | None) -> None:
        self._current, self._refusal = connection, refusal
        self._changed.set()
        self._changed = asyncio.Event()


def _is_refusal(exc: BaseException | None) -> bool:
    return isinstance(exc, AuthenticationError | ProbableAuthenticationError | VhostRefused)


def _pause_seconds(attempt: int) -> float:
    ceiling = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10))
    return random.uniform(ceiling / 2, ceiling)
