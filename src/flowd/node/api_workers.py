"""ApiWorkers: several processes that serve the API on one listening socket, for a node that runs the api role alone."""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping

import structlog

from flowd.domain.errors import InvalidSettings
from flowd.node.signals import on_signals
from flowd.node.supervisor import Supervisor
from flowd.settings.model import Settings

log = structlog.get_logger(__name__)

SOCKET_VARIABLE = "FLOWD_API_SOCKET"
"""The number of the inherited file descriptor that a worker process accepts connections on."""

BACKLOG = 2048
RESTART_SECONDS = 1.0


class ApiWorkers:
    """Starts the processes, starts again one that dies, and ends them all when told to stop.

    Each of them tells the supervisor itself when it is ready; this process gives the signs of life.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], supervisor: Supervisor) -> None:
        if tuple(settings.node.roles) != ("api",):
            raise InvalidSettings(
                f"api.workers is {settings.api.workers}, but this node runs {','.join(settings.node.roles)}: several"
                " processes share a port only where --roles is api alone; set FLOWD__API__WORKERS=1"
            )
        if settings.node.status_file is not None:
            raise InvalidSettings(
                f"node.status_file is {settings.node.status_file}, and api.workers is {settings.api.workers}: one file"
                " cannot speak for several processes; unset FLOWD__NODE__STATUS_FILE and ask /readyz"
            )
        self._settings = settings
        self._environ = environ
        self._supervisor = supervisor
        self._told_to_stop = asyncio.Event()
        self._processes: set[asyncio.subprocess.Process] = set()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raise InvalidSettings where the address cannot be listened on."""
        with self._listening() as listener, on_signals(self._stop):
            async with self._supervisor.watched(), asyncio.TaskGroup() as group:
                for number in range(self._settings.api.workers):
                    group.create_task(self._keep_one(number, listener))

    def _listening(self) -> socket.socket:
        host, port = self._settings.api.host, self._settings.api.port
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise InvalidSettings(
                f"the API cannot listen on {host}:{port} ({error.strerror}); set FLOWD__API__HOST and FLOWD__API__PORT"
                " to a free address"
            ) from error

    async def _keep_one(self, number: int, listener: socket.socket) -> None:
        while not self._told_to_stop.is_set():
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "flowd.cli", "run", "--roles", "api"),
                env={**self._environ, "FLOWD__API__WORKERS": "1", SOCKET_VARIABLE: str(listener.fileno())},
                pass_fds=(listener.fileno(),),
                # A Ctrl-C on the terminal is this process's to hand on, once.
                start_new_session=True,
            )
            self._processes.add(process)
            code = await process.wait()
            self._processes.discard(process)
            if not self._told_to_stop.is_set():
                log.error("an API worker ended; starting another", worker=number, pid=process.pid, exit_code=code)
                await asyncio.sleep(RESTART_SECONDS)

    def _stop(self) -> None:
        self._told_to_stop.set()
        self._supervisor.stopping()
        for process in self._processes:
            process.terminate()


def inherited_socket(environ: Mapping[str, str]) -> socket.socket | None:
    """Return the socket that this process was given to accept on, None where it opens its own."""
    number = environ.get(SOCKET_VARIABLE)
    if number is None:
        return None
    os.set_inheritable(int(number), False)
    return socket.socket(fileno=int(number))
