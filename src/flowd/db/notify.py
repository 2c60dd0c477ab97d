"""Wake-ups over PostgreSQL's LISTEN and NOTIFY, coalesced: one NOTIFY for all that is said in one turn."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog
from sqlalchemy.engine import URL

from flowd.db.engine import CONNECT_SECONDS
from flowd.db.metastore import Metastore
from flowd.domain.errors import Unavailable

log = structlog.get_logger(__name__)

CHANNEL = "flowd"
RECONNECT_SECONDS = 1.0
MOST_NOTE_BYTES = 7_900
"""A NOTIFY carries less than 8,000 bytes: more names go in more notes of the same commit."""


class PostgresWakeups:
    """Notes between the nodes of a cluster that has no broker. A lost connection loses notes; the polls repair it."""

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore
        self._url = metastore.url
        self._listeners: dict[str, set[_Listener]] = {}

    async def notify(self, topic: str, payloads: Sequence[str]) -> None:
        """Wake every listener of `topic` in every node; a failure is logged, for nobody depends on it."""
        if not payloads:
            return
        try:
            async with self._metastore.transaction() as tx:
                for note in _notes(topic, payloads):
                    await tx.execute("SELECT pg_notify(:channel, :note)", {"channel": CHANNEL, "note": note})
        except Unavailable as error:
            log.debug("note not sent", topic=topic, error=str(error))

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[AsyncIterator[frozenset[str]]]:
        """Iterate over the payloads that arrive on `topic`, those since the last turn together."""
        listener = _Listener()
        self._listeners.setdefault(topic, set()).add(listener)
        try:
            yield listener
        finally:
            self._listeners[topic].discard(listener)

    async def run(self) -> None:
        """Hold the listening connection until cancelled, and open it again whenever it is lost."""
        while True:
            try:
                await self._hold()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("not listening for notes; polling instead", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hold(self) -> None:
        connection = await asyncpg.connect(dsn=_dsn(self._url), timeout=CONNECT_SECONDS)
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _connection: gone.set())
        try:
            await connection.add_listener(CHANNEL, self._hear)
            await gone.wait()
        finally:
            await asyncio.shield(connection.close(timeout=CONNECT_SECONDS))

    def _hear(self, _connection: Any, _pid: int, _channel: str, note: object) -> None:
        topic, payloads = json.loads(str(note))
        for listener in self._listeners.get(topic, ()):
            listener.put(payloads)


class _Listener(AsyncIterator[frozenset[str]]):
    def __init__(self) -> None:
        self._heard: set[str] = set()
        self._event = asyncio.Event()

    def put(self, payloads: Sequence[str]) -> None:
        self._heard.update(payloads)
        self._event.set()

    async def __anext__(self) -> frozenset[str]:
        await self._event.wait()
        self._event.clear()
        heard, self._heard = frozenset(self._heard), set()
        return heard


def _notes(topic: str, payloads: Sequence[str]) -> Iterator[str]:
    """Yield the payloads in as few notes as hold them."""
    note: list[str] = []
    size = room = MOST_NOTE_BYTES - len(json.dumps([topic, []]))
    for payload in payloads:
        bytes_needed = len(json.dumps(payload)) + len(", ")  # ASCII: json.dumps escapes everything else
        if note and bytes_needed > room:
            yield json.dumps([topic, note])
            note, room = [], size
        note.append(payload)
        room -= bytes_needed
    yield json.dumps([topic, note])


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
