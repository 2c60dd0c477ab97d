"""list_workers and set_concurrency: what runs tasks, and how many at a time."""

from flowd.actions.backends import Backends
from flowd.db import nodes
from flowd.db.nodes import Node
from flowd.domain.errors import InvalidInput, NotFound

MOST_TASKS = 10_000


async def list_workers(backends: Backends) -> list[Node]:
    """Return the nodes with the worker role that have been seen within a day, the one seen last first."""
    async with backends.metastore.reading() as tx:
        return [node for node in await nodes.seen_lately(tx) if "worker" in node.roles]


async def set_concurrency(backends: Backends, worker: str, concurrency: int) -> Node:
    """Let a worker, named by its id or the beginning of it, run this many tasks at a time from its next hello on.

    What runs goes on, even where that is more. Raises NotFound for no such worker, InvalidInput for a number out of
    range or a beginning that several workers share.
    """
    if not 0 <= concurrency <= MOST_TASKS:
        raise InvalidInput(f"a worker cannot run {concurrency} tasks at a time; wanted 0 to {MOST_TASKS}")
    found = [node for node in await list_workers(backends) if worker and node.id.startswith(worker)]
    if not found:
        raise NotFound(f"there is no worker whose id begins with {worker!r}; `flowd workers list` shows all")
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} workers have an id that begins with {worker!r}; give more of it")
    async with backends.metastore.transaction() as tx:
        await nodes.want_concurrency(tx, found[0].id, concurrency)
    return found[0]
