"""ExitWatch: calls back when a process has ended, leaving it to be reaped."""

import os
from collections.abc import Callable

from flowd.child.keeper import linux
from flowd.child.keeper.reactor import Reactor

_POLL_SECONDS = 0.02


class ExitWatch:
    """Watches one process by a pidfd; where there are none, a child is asked after every 20 ms."""

    def __init__(self, reactor: Reactor, pid: int, on_exit: Callable[[], None]) -> None:
        """Call `on_exit` once, from the reactor. Raise OSError where the watch cannot be had (out of descriptors)."""
        self._reactor = reactor
        self._pid = pid
        self._on_exit = on_exit
        self._fd = linux.open_exit_watch(pid)
        self._is_open = True
        if self._fd is None:
            reactor.call_after(_POLL_SECONDS, self._poll)
        else:
            reactor.watch(self._fd, self._fire)

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended by now, called back or not."""
        return not self._is_open or linux.has_ended(self._pid, self._fd)

    def close(self) -> None:
        """Watch no more."""
        if self._is_open and self._fd is not None:
            self._reactor.unwatch(self._fd)
            os.close(self._fd)
        self._is_open = False

    def _fire(self, _events: int) -> None:
        self.close()
        self._on_exit()

    def _poll(self) -> None:
        if not self._is_open:
            return
        if self.has_ended:
            self._fire(0)
        else:
            self._reactor.call_after(_POLL_SECONDS, self._poll)
