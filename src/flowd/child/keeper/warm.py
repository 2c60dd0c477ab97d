"""WarmPool: the fork servers of a keeper, one for each bundle file that is in use."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from flowd.child.keeper import linux
from flowd.child.keeper.fork_server import ForkServer, Phase
from flowd.child.keeper.process_table import ProcessTable
from flowd.child.keeper.reactor import Reactor
from flowd.child.keeper.warm_limits import WarmLimits

BundleFile = tuple[str, str]

_REMEMBERED_REFUSALS = 1024

_OF_ONE_TRY = ("FLOWD_", "AIRFLOW_CTX_")
"""Variables with these prefixes tell of one try, and are kept from an import that many tries share."""


class WarmPool:
    """Starts, lends and ends fork servers."""

    def __init__(self, reactor: Reactor, table: ProcessTable, limits: WarmLimits, warn: Callable[[str], None]) -> None:
        """`warn` is told of files that are not kept warm, once each."""
        self._reactor = reactor
        self._table = table
        self._limits = limits
        self._warn = warn
        self._servers: OrderedDict[BundleFile, ForkServer] = OrderedDict()
        self._refused: OrderedDict[BundleFile, None] = OrderedDict()

    def server_for(self, bundle_file: BundleFile) -> ForkServer | None:
        """Return the server that has imported the file and is ready to fork, None where there is none (yet)."""
        server = self._servers.get(bundle_file)
        if server is None or server.phase is not Phase.READY:
            return None
        self._servers.move_to_end(bundle_file)
        return server

    def prepare(self, bundle_file: BundleFile, env: Mapping[str, str]) -> None:
        """Start a server in the background, unless there is one, the file was refused, or no room can be made."""
        if not linux.IS_LINUX or bundle_file in self._servers or bundle_file in self._refused:
            return
        if len(self._servers) >= self._limits.servers and not self._make_room():
            return
        shared = {name: value for name, value in env.items() if not name.startswith(_OF_ONE_TRY)}
        try:
            server = ForkServer(self._reactor, bundle_file, shared, self._limits, self._gone)
        except OSError as error:
            self._warn(f"{bundle_file[1]} is not kept warm now: {error}")
            return
        self._servers[bundle_file] = server
        self._table.add_helper(server.pid)
        self._reactor.call_after(self._limits.idle_seconds, lambda: self._check_idle(server))

    def _make_room(self) -> bool:
        """End the least recently used server that runs no task; say whether there was one."""
        for server in self._servers.values():
            if server.phase is Phase.READY and not server.task_count:
                self._end(server)
                return True
        return False

    def _check_idle(self, server: ForkServer) -> None:
        if self._servers.get(server.bundle_file) is not server:
            return
        idle_seconds = 0.0 if server.task_count else time.monotonic() - server.used_at
        left = self._limits.idle_seconds - idle_seconds
        if server.phase is Phase.READY and left <= 0:
            self._end(server)
        else:
            self._reactor.call_after(max(left, 0.05), lambda: self._check_idle(server))

    def _end(self, server: ForkServer) -> None:
        del self._servers[server.bundle_file]
        server.kill()

    def _gone(self, server: ForkServer) -> None:
        self._table.remove_helper(server.pid)
        if self._servers.get(server.bundle_file) is server:
            del self._servers[server.bundle_file]
        if server.refusal is not None:
            self._warn(f"{server.bundle_file[1]} is not kept warm: {server.refusal}")
            self._refused[server.bundle_file] = None
            if len(self._refused) > _REMEMBERED_REFUSALS:
                self._refused.popitem(last=False)
