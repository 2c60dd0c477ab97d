"""Commits of one small row per second, one after the other: what durability costs on this disk and this server."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import asyncpg

from bench.figure import Limit, Unit

_TABLE = "CREATE TABLE ledger (id INTEGER PRIMARY KEY, word TEXT NOT NULL)"


def sqlite_limit(folder: Path, seconds: float, slices: int) -> Limit:
    """Measure on a file in `folder`, with the settings of the metastore: WAL, synchronous=FULL."""
    values = []
    with closing(sqlite3.connect(folder / "limit.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(_TABLE)
        for _ in range(slices):
            count, begun = 0, time.monotonic()
            while time.monotonic() - begun < seconds:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO ledger (word) VALUES ('done')")
                connection.execute("COMMIT")
                count += 1
            values.append(count / (time.monotonic() - begun))
    return Limit(
        name="commit.sqlite",
        words="raw SQLite commit (WAL, synchronous=FULL)",
        unit=Unit.PER_SECOND,
        values=tuple(values),
    )


def postgres_limit(url: str, seconds: float, slices: int) -> Limit:
    """Measure in the database `url`, in a table that is gone afterwards."""
    return asyncio.run(_postgres_limit(url, seconds, slices))


async def _postgres_limit(url: str, seconds: float, slices: int) -> Limit:
    connection = await asyncpg.connect(url)
    values = []
    try:
        await connection.execute("CREATE TABLE bench_limit (id bigserial PRIMARY KEY, word text NOT NULL)")
        insert = await connection.prepare("INSERT INTO bench_limit (word) VALUES ('done')")
        for _ in range(slices):
            count, begun = 0, time.monotonic()
            while time.monotonic() - begun < seconds:
                await insert.fetch()
                count += 1
            values.append(count / (time.monotonic() - begun))
        await connection.execute("DROP TABLE bench_limit")
    finally:
        await connection.close()
    return Limit(
        name="commit.postgres",
        words="raw PostgreSQL commit (one row, asyncpg)",
        unit=Unit.PER_SECOND,
        values=tuple(values),
    )
