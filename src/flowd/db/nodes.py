"""The nodes seen lately: what each runs, and when it last said so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowd.db.moments import from_db, to_db
from flowd.db.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node, as it describes itself; `running` counts the tasks it runs, of at most `concurrency`."""

    id: str
    host: str
    pid: int
    roles: tuple[str, ...]
    queues: tuple[str, ...] = ()
    concurrency: int = 0
    running: int = 0
    started_at: datetime
    seen_at: datetime | None = None


FORGOTTEN_AFTER = timedelta(days=1)
"""A node that died without a word is on record for this long."""


async def say_hello(tx: Transaction, node: Node) -> int | None:
    """Write that the node is there now, by the metastore's clock; return the concurrency that somebody wants of it."""
    values = {
        "id": node.id,
        "host": node.host,
        "pid": node.pid,
        "roles": ",".join(node.roles),
        "queues": ",".join(node.queues),
        "concurrency": node.concurrency,
        "running": node.running,
        "started_at": to_db(node.started_at),
    }
    updated = await tx.execute(
        f"UPDATE node SET concurrency = :concurrency, running = :running, queues = :queues, seen_at = {tx.dialect.now}"
        " WHERE id = :id",
        {name: values[name] for name in ("id", "concurrency", "running", "queues")},
    )
    if not updated.rowcount:
        await tx.execute(
            "INSERT INTO node (id, host, pid, roles, queues, concurrency, running, started_at, seen_at)"
            " VALUES (:id, :host, :pid, :roles, :queues, :concurrency, :running, :started_at,"
            f" {tx.dialect.now})",
            values,
        )
        await tx.execute(
            f"DELETE FROM node WHERE seen_at < {tx.dialect.now} - :patience",
            {"patience": FORGOTTEN_AFTER // timedelta(microseconds=1)},
        )
    wanted: int | None = (
        await tx.execute("SELECT wanted_concurrency FROM node WHERE id = :id", {"id": node.id})
    ).scalar_one()
    return wanted


async def want_concurrency(tx: Transaction, node_id: str, concurrency: int) -> None:
    """Write how many tasks this node is to run at a time; it hears of it when it next says hello."""
    await tx.execute(
        "UPDATE node SET wanted_concurrency = :concurrency WHERE id = :id", {"id": node_id, "concurrency": concurrency}
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
            host=row["host"],
            pid=row["pid"],
            roles=tuple(row["roles"].split(",")),
            queues=tuple(name for name in row["queues"].split(",") if name),
            concurrency=row["concurrency"],
            running=row["running"],
            started_at=from_db(row["started_at"]),
            seen_at=from_db(row["seen_at"]),
        )
        for row in rows.mappings()
    ]
