"""list_workers, get_worker, set_concurrency and set_draining: what runs tasks, and how many at a time."""

from flowd.actions.backends import Backends
from flowd.db import nodes
from flowd.db.nodes import Node
from flowd.domain.errors import InvalidInput, NotFound

MOST_TASKS = 10_000


async def list_workers(backends: Backends) -> list[Node]:
    """Return the nodes with the worker role that have been seen within a day, the one seen last first."""
    async with backends.metastore.reading() as tx:
        return [node for node in await nodes.seen_lately(tx) if "worker" in node.roles]


async def get_worker(backends: Backends, worker: str) -> Node:
    """Return the worker that is named by its id or the beginning of it.

    Raises NotFound for no such worker, InvalidInput for a beginning that several workers share.
    """
    found = [node for node in await list_workers(backends) if worker and node.id.startswith(worker)]
    if not found:
        raise NotFound(f"there is no worker whose id begins with {worker!r}; `flowd workers list` shows all")
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} workers have an id that begins with {worker!r}; give more of it")
    return found[0]


async def set_concurrency(backends: Backends, worker: str, concurrency: int) -> Node:
    """Let a worker, named as in `get_worker`, run this many tasks at a time from its next hello on, and return it.

    What runs goes on, even where that is more. Raises InvalidInput for a number out of range.
    """
    if not 0 <= concurrency <= MOST_TASKS:
        raise InvalidInput(f"a worker cannot run {concurrency} tasks at a time; wanted 0 to {MOST_TASKS}")
    found = await get_worker(backends, worker)
    async with backends.metastore.transaction() as tx:
        await nodes.want_concurrency(tx, found.id, concurrency)
        before = found.concurrency if found.wish.concurrency is None else found.wish.concurrency
        tx.tell(f"worker {found.id}", {"concurrency": before}, {"concurrency": concurrency})
    return found


async def set_draining(backends: Backends, worker: str, is_to_drain: bool) -> Node:
    """Let a worker, named as in `get_worker`, take no more work from its next hello on, or take work again.

    What runs goes on, and the worker stays until it is turned off; a worker that is started takes work.
    """
    found = await get_worker(backends, worker)
    async with backends.metastore.transaction() as tx:
        await nodes.want_drained(tx, found.id, is_to_drain)
        tx.tell(f"worker {found.id}", {"is_to_drain": found.wish.is_to_drain}, {"is_to_drain": is_to_drain})
    return found
