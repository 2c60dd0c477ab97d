"""Supervisor: tells systemd that the node is ready, alive and stopping; says nothing where nobody has asked.

The protocol is that of sd_notify(3): a datagram of lines to the socket that the environment names.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

from flowd.queue.structured import alongside

SOCKET_VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE = "WATCHDOG_USEC"
WATCHDOG_PID_VARIABLE = "WATCHDOG_PID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """`address` is None where nobody listens, `watchdog_seconds` where nobody counts the signs of life."""

    address: str | None = None
    watchdog_seconds: float | None = None

    @classmethod
    def of(cls, environ: MutableMapping[str, str], *, is_last: bool) -> Self:
        """Return what `environ` names; where this process `is_last` to tell, take it away from those that it starts."""
        take = environ.pop if is_last else environ.get
        address, seconds, pid = (
            take(name, None) for name in (SOCKET_VARIABLE, WATCHDOG_VARIABLE, WATCHDOG_PID_VARIABLE)
        )
        # The watchdog is for one process; a child of it that speaks for it would hide that it hangs.
        is_watched = seconds is not None and pid in (None, str(os.getpid()))
        return cls(address=address, watchdog_seconds=int(seconds or 0) / 1e6 if is_watched else None)

    def ready(self) -> None:
        """Say that the node has started."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """Say that the node ends because it was told to."""
        self._tell("STOPPING=1")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Give signs of life for the length of the context: they stop when the event loop stands still."""
        if self.address is None or not self.watchdog_seconds:
            yield
            return
        async with alongside(self._live(self.watchdog_seconds / 2)):
            yield

    async def _live(self, pause_seconds: float) -> None:
        while True:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(pause_seconds)

    def _tell(self, state: str) -> None:
        if self.address is None:
            return
        # An address that begins with @ is in the abstract namespace, where the system writes a zero byte.
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.setblocking(False)
            line.sendto(state.encode(), address)
