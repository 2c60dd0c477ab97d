"""Presence: says now and then that this node is there, for people and health checks. No protocol depends on it."""

from collections.abc import Callable
from datetime import timedelta

from flowd.db import nodes
from flowd.db.metastore import Metastore
from flowd.db.nodes import Node
from flowd.roles.loop import Loop

INTERVAL = timedelta(seconds=5)


class Presence:
    """Writes the node's row every interval, and removes it when told good-bye.

    `resize` is told the number of tasks that somebody wants the node to run at a time.
    """

    def __init__(self, metastore: Metastore, describe: Callable[[], Node], resize: Callable[[int], None]) -> None:
        self.loop = Loop("Presence", self.step, INTERVAL)
        self._metastore = metastore
        self._describe = describe
        self._resize = resize
        self._wanted: int | None = None

    async def step(self) -> bool:
        """Say that the node is there, and hear what is wanted of it."""
        async with self._metastore.transaction() as tx:
            wanted = await nodes.say_hello(tx, self._describe())
        if wanted is not None and wanted != self._wanted:
            self._wanted = wanted
            self._resize(wanted)
        return False

    async def leave(self) -> None:
        """Say that the node is gone."""
        async with self._metastore.transaction() as tx:
            await nodes.say_goodbye(tx, self._describe().id)
