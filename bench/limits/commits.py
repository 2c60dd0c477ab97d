"""Commits of one small row per second, one after the other: what durability costs on this disk and this server."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import asyncpg

from bench.figure import Limit, Unit
from bench.servers.mariadb import connect_mariadb

_INSERT = "INSERT INTO bench_limit (word) VALUES ('done')"


def sqlite_limit(folder: Path, seconds: float, slices: int) -> Limit:
    """Measure on a file in `folder`, with the settings of the metastore: WAL, synchronous=FULL."""
    values = []
    with closing(sqlite3.connect(folder / "limit.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE bench_limit (id INTEGER PRIMARY KEY, word TEXT NOT NULL)")
        for _ in range(slices):
            count, begun = 0, time.monotonic()
            while time.monotonic() - begun < seconds:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_INSERT)
                connection.execute("COMMIT")
                count += 1
            values.append(count / (time.monotonic() - begun))
    return _limit("sqlite", "SQLite commit (WAL, synchronous=FULL)", values)


def postgres_limit(url: str, seconds: float, slices: int) -> Limit:
    """Measure in the database `url`."""
    return _limit("postgres", "PostgreSQL commit (one row, asyncpg)", asyncio.run(_postgres(url, seconds, slices)))


def mariadb_limit(url: str, seconds: float, slices: int) -> Limit:
    """Measure in the database `url`."""
    return _limit("mariadb", "MariaDB commit (one row, asyncmy)", asyncio.run(_mariadb(url, seconds, slices)))


def _limit(metastore: str, words: str, values: list[float]) -> Limit:
    return Limit(name=f"commit.{metastore}", words=f"raw {words}", unit=Unit.PER_SECOND, values=tuple(values))


async def _postgres(url: str, seconds: float, slices: int) -> list[float]:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE bench_limit (id bigserial PRIMARY KEY, word text NOT NULL)")
        insert = await connection.prepare(_INSERT)
        return await _rates(insert.fetch, seconds, slices)
    finally:
        await connection.close()


async def _mariadb(url: str, seconds: float, slices: int) -> list[float]:
    connection = await connect_mariadb(url)
    try:
        async with connection.cursor() as cursor:
            await cursor.execute("CREATE TABLE bench_limit (id BIGINT AUTO_INCREMENT PRIMARY KEY, word TEXT NOT NULL)")
            return await _rates(lambda: cursor.execute(_INSERT), seconds, slices)
    finally:
        await connection.ensure_closed()


async def _rates(commit: Callable[[], Awaitable[object]], seconds: float, slices: int) -> list[float]:
    rates = []
    for _ in range(slices):
        count, begun = 0, time.monotonic()
        while time.monotonic() - begun < seconds:
            await commit()
            count += 1
        rates.append(count / (time.monotonic() - begun))
    return rates
