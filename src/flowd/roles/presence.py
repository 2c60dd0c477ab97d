"""Presence: says now and then that this node is there, for people and health checks. No protocol depends on it."""

from collections.abc import Callable
from datetime import timedelta

from flowd.db import nodes
from flowd.db.metastore import Metastore
from flowd.db.nodes import Node, Wish
from flowd.roles.loop import Loop

INTERVAL = timedelta(seconds=5)


class Presence:
    """Writes the node's row every interval, and removes it when told good-bye.

    `heed` is told what somebody wants of the node, whenever that is something else.
    """

    def __init__(self, metastore: Metastore, describe: Callable[[], Node], heed: Callable[[Wish], None]) -> None:
        self.loop = Loop("Presence", self.step, INTERVAL)
        self._metastore = metastore
        self._describe = describe
        self._heed = heed
        self._wish = Wish()

    async def step(self) -> bool:
        """Say that the node is there, and hear what is wanted of it; True where it is to say at once that it did so."""
        async with self._metastore.transaction() as tx:
            wish = await nodes.say_hello(tx, self._describe())
        if wish == self._wish:
            return False
        self._wish = wish
        self._heed(wish)
        return True

    async def leave(self) -> None:
        """Say that the node is gone."""
        async with self._metastore.transaction() as tx:
            await nodes.say_goodbye(tx, self._describe().id)
