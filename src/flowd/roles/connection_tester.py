"""ChildConnectionTester: tests connections, each in a process of its own that knows of nothing but this connection."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from flowd.actions.connection_tester import Tested
from flowd.child.frames import Frame
from flowd.child.keeper_client import Keeper, KeeperDied
from flowd.child.launch import Call, Ended, EndedBy, Launch, Limits
from flowd.db.secrets_store import StoredConnection
from flowd.domain.errors import Unavailable

TIMEOUT_SECONDS = 15.0
MEMORY_BYTES = 1024**3
MOST_AT_ONCE = 4
"""Whoever asks for more is refused: a test may take all of its time and memory."""

_GRACE_SECONDS = 1.0
_OPEN_FILES = 256
_LOG_LIMIT_BYTES = 1024**2
_OTHERS = ("FLOWD_", "AIRFLOW_CONN_", "AIRFLOW_VAR_")
"""What of the node's environment is settings, or another's connections and variables: no test is given it."""


class ChildConnectionTester:
    """A ConnectionTester.

    `env` is the node's environment, without what belongs to flowd. `scratch` is a folder of this node: what a test
    prints is kept there while it runs, and nowhere after.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        scratch: Path,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._env = {name: value for name, value in env.items() if not name.startswith(_OTHERS)}
        self._scratch = scratch
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        self._running = 0

    async def test(self, connection: StoredConnection) -> Tested:
        """See ConnectionTester."""
        if self._running >= MOST_AT_ONCE:
            raise Unavailable(f"{MOST_AT_ONCE} connections are being tested on this node; try again in a few seconds")
        self._running += 1
        try:
            return self._tested(await self._run(connection))
        except KeeperDied as error:
            raise Unavailable(f"connection {connection.conn_id!r} could not be tested: {error}") from error
        finally:
            self._running -= 1

    async def _run(self, connection: StoredConnection) -> Ended:
        async def answer(_attempt: int, request: Frame) -> Frame:
            is_it = request.get("op") == "connection_get" and request.get("conn_id") == connection.conn_id
            return {"found": is_it, "text": None, "connection": asdict(connection) if is_it else None}

        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="connection-", dir=self._scratch) as folder:
            async with Keeper.open(env=self._env, on_request=answer) as keeper:
                tree = await keeper.start(
                    Launch(
                        program=Call(entry="flowd.child.try_connection", payload={"conn_id": connection.conn_id}),
                        env=self._env,
                        log=f"{folder}/log",
                        timeout_seconds=self._timeout_seconds,
                        grace_seconds=_GRACE_SECONDS,
                        log_limit_bytes=_LOG_LIMIT_BYTES,
                        limits=Limits(address_space_bytes=self._memory_bytes, open_files=_OPEN_FILES),
                    )
                )
                return await tree.wait()

    def _tested(self, ended: Ended) -> Tested:
        if ended.result is not None:
            # Code of providers ran in that process: what it sends is taken for no more than it can be.
            return Tested(is_ok=ended.result.get("is_ok") is True, message=str(ended.result.get("message")))
        if ended.by is EndedBy.TIMEOUT:
            return Tested(is_ok=False, message=f"it was not over after {self._timeout_seconds:g} seconds")
        how = f"signal {ended.signal}" if ended.signal else f"exit code {ended.exit_code}"
        return Tested(
            is_ok=False,
            message=f"its process ended without a result ({how}); it may take {self._memory_bytes} bytes of memory",
        )
