"""Slots: how many tasks a worker runs at a time; the number may change while it runs."""

import asyncio


class Slots:
    """A counter of free places that can be waited for."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._is_given_up = False
        self._changed = asyncio.Event()

    @property
    def size(self) -> int:
        """How many tasks may run at a time."""
        return self._size

    @property
    def taken(self) -> int:
        """How many run now."""
        return self._taken

    @property
    def free(self) -> int:
        """How many more may start; none where the size was lowered below what runs."""
        return max(0, self._size - self._taken)

    def resize(self, size: int) -> None:
        """Change the number of places; what runs goes on."""
        self._size = size
        self._changed.set()

    def take(self) -> None:
        """Take a place, free or not: the caller has asked before."""
        self._taken += 1

    def give_back(self) -> None:
        """Free a place."""
        self._taken -= 1
        self._changed.set()

    async def wait_free(self) -> int:
        """Return how many places are free, once there is one."""
        while not self.free:
            self._changed.clear()
            await self._changed.wait()
        return self.free

    async def wait_idle(self) -> None:
        """Return when nothing runs, or when `stop_waiting` says not to wait for it."""
        while self._taken and not self._is_given_up:
            self._changed.clear()
            await self._changed.wait()

    def stop_waiting(self) -> None:
        """Let `wait_idle` return though something runs."""
        self._is_given_up = True
        self._changed.set()
