"""The nodes seen lately: what each runs, when it last said so, and what is wanted of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowd.db.moments import from_db, to_db
from flowd.db.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants of a node: how many tasks it runs at a time, None for as many as it was started with."""

    concurrency: int | None = None
    is_to_drain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node, as it describes itself; `running` counts the tasks it runs, of at most `concurrency`.

    `name` is the one under which it holds leases. What is wanted of it is in `wish`.
    """

    id: str
    name: str = ""
    host: str
    pid: int
    roles: tuple[str, ...]
    queues: tuple[str, ...] = ()
    concurrency: int = 0
    running: int = 0
    is_taking_work: bool = True
    started_at: datetime
    seen_at: datetime | None = None
    wish: Wish = Wish()


FORGOTTEN_AFTER = timedelta(days=1)
"""A node that died without a word is on record for this long."""

_CHANGING = ("queues", "concurrency", "running", "is_taking_work")


async def say_hello(tx: Transaction, node: Node) -> Wish:
    """Write that the node is there now, by the metastore's clock; return what somebody wants of it."""
    values = {
        "id": node.id,
        "name": node.name,
        "host": node.host,
        "pid": node.pid,
        "roles": ",".join(node.roles),
        "queues": ",".join(node.queues),
        "concurrency": node.concurrency,
        "running": node.running,
        "is_taking_work": node.is_taking_work,
        "started_at": to_db(node.started_at),
    }
    updated = await tx.execute(
        f"UPDATE node SET {', '.join(f'{name} = :{name}' for name in _CHANGING)}, seen_at = {tx.dialect.now}"
        " WHERE id = :id",
        {name: values[name] for name in ("id", *_CHANGING)},
    )
    if not updated.rowcount:
        await tx.execute(
            f"INSERT INTO node ({', '.join(values)}, seen_at)"
            f" VALUES ({', '.join(f':{name}' for name in values)}, {tx.dialect.now})",
            values,
        )
        await tx.execute(
            f"DELETE FROM node WHERE seen_at < {tx.dialect.now} - :patience",
            {"patience": FORGOTTEN_AFTER // timedelta(microseconds=1)},
        )
    concurrency, is_to_drain = (
        await tx.execute("SELECT wanted_concurrency, is_to_drain FROM node WHERE id = :id", {"id": node.id})
    ).one()
    return Wish(concurrency=concurrency, is_to_drain=bool(is_to_drain))


async def want_concurrency(tx: Transaction, node_id: str, concurrency: int) -> None:
    """Write how many tasks this node is to run at a time; it hears of it when it next says hello."""
    await tx.execute(
        "UPDATE node SET wanted_concurrency = :concurrency WHERE id = :id", {"id": node_id, "concurrency": concurrency}
    )


async def want_drained(tx: Transaction, node_id: str, is_to_drain: bool) -> None:
    """Write whether this node is to take no more work; it hears of it when it next says hello."""
    await tx.execute(
        "UPDATE node SET is_to_drain = :is_to_drain WHERE id = :id", {"id": node_id, "is_to_drain": is_to_drain}
    )


async def say_goodbye(tx: Transaction, node_id: str) -> None:
    """Forget the node."""
    await tx.execute("DELETE FROM node WHERE id = :id", {"id": node_id})


async def seen_lately(tx: Transaction) -> Sequence[Node]:
    """Return every node on record, the one seen last first; whoever died without a word is among them."""
    rows = await tx.execute("SELECT * FROM node ORDER BY seen_at DESC")
    return [
        Node(
            id=row["id"],
            name=row["name"],
            host=row["host"],
            pid=row["pid"],
            roles=tuple(row["roles"].split(",")),
            queues=tuple(name for name in row["queues"].split(",") if name),
            concurrency=row["concurrency"],
            running=row["running"],
            is_taking_work=bool(row["is_taking_work"]),
            started_at=from_db(row["started_at"]),
            seen_at=from_db(row["seen_at"]),
            wish=Wish(concurrency=row["wanted_concurrency"], is_to_drain=bool(row["is_to_drain"])),
        )
        for row in rows.mappings()
    ]
