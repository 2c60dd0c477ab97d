"""ApiServer: uvicorn inside the node's event loop."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn

from flowd.actions.backends import Backends
from flowd.actions.bundle_reader import BundleReader
from flowd.actions.connection_tester import ConnectionTester
from flowd.api.app import create_app
from flowd.api.metrics import TicketLives, no_tickets
from flowd.domain.errors import InvalidSettings
from flowd.logs.reader import LogReader
from flowd.node.readiness import Readiness
from flowd.queue.structured import alongside
from flowd.roles.loop import Bell
from flowd.settings.model import Settings

log = structlog.get_logger(__name__)

TICK_SECONDS = 1.0
"""How old the Date header may be."""

GOODBYE_SECONDS = 5
"""How long requests under way may take to end once the node stops."""


class ApiServer:
    """Serves the REST API and the dashboard, on `listener` where it is given one."""

    def __init__(
        self,
        settings: Settings,
        backends: Backends,
        readiness: Readiness,
        bundles: BundleReader,
        tester: ConnectionTester,
        listener: socket.socket | None,
        logs: LogReader,
        *,
        tickets: TicketLives = no_tickets,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._app = create_app(
            backends, settings, bundles=bundles, tester=tester, readiness=readiness, logs=logs, tickets=tickets
        )
        config = uvicorn.Config(
            self._app,
            host=settings.api.host,
            port=settings.api.port,
            loop="none",
            lifespan="off",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GOODBYE_SECONDS,
        )
        self._server = _Server(config)

    @property
    def is_ready(self) -> bool:
        """True while it accepts connections."""
        return self._server.started and not self._server.should_exit

    async def run(self) -> None:
        """Serve until stopped; raise InvalidSettings where the address cannot be listened on."""
        try:
            async with alongside(self._app.state.change_feed.run()):
                await self._server.serve(sockets=[self._listener] if self._listener is not None else None)
        except SystemExit as error:
            # uvicorn logs why it could not bind, and exits.
            address = f"{self._settings.api.host}:{self._settings.api.port}"
            raise InvalidSettings(
                f"the API cannot listen on {address}; set FLOWD__API__HOST and FLOWD__API__PORT to a free address"
            ) from error

    def stop(self) -> None:
        """Accept no more connections; `run` returns when those under way have been served. Open pages are let go."""
        self._app.state.change_feed.close()
        self._server.should_exit = True
        self._server.bell.ring()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.bell = Bell()

    async def main_loop(self) -> None:
        """Serve until told to stop. uvicorn's own loop wakes up ten times a second to ask, which an idle node feels."""
        # A multiple of ten is uvicorn's sign that a second has passed, and the Date header is to be renewed.
        while not await self.on_tick(0):
            await self.bell.wait(TICK_SECONDS)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the node, which drains all its roles."""
        yield
