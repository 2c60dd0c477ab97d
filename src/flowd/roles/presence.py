"""Presence: says now and then that this node is there, for people and health checks. No protocol depends on it."""

from collections.abc import Callable
from datetime import timedelta

from flowd.db import nodes
from flowd.db.engine import Metastore
from flowd.db.nodes import Node
from flowd.roles.loop import Loop

INTERVAL = timedelta(seconds=5)


class Presence:
    """Writes the node's row every interval, and removes it when told good-bye."""

    def __init__(self, metastore: Metastore, describe: Callable[[], Node]) -> None:
        self.loop = Loop("Presence", self.step, INTERVAL)
        self._metastore = metastore
        self._describe = describe

    async def step(self) -> bool:
        """Say that the node is there."""
        async with self._metastore.transaction() as tx:
            await nodes.say_hello(tx, self._describe())
        return False

    async def leave(self) -> None:
        """Say that the node is gone."""
        async with self._metastore.transaction() as tx:
            await nodes.say_goodbye(tx, self._describe().id)
