"""The nodes seen lately: what each runs, and when it last said so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flowd.db.engine import Transaction
from flowd.db.moments import from_db, to_db


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


async def say_hello(tx: Transaction, node: Node) -> None:
    """Write that the node is there now, by the metastore's clock."""
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
