"""A client that has left is not worked for any more; what it asked to be changed is changed."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from flowd.db.dialect import Kind
from flowd.db.metastore import Metastore
from tests.api.cluster import Cluster, a_cluster

LOCK = {
    Kind.POSTGRESQL: "LOCK TABLE variable IN ACCESS EXCLUSIVE MODE",
    Kind.MYSQL: "LOCK TABLES variable WRITE",
}
UNLOCK = {
    Kind.POSTGRESQL: "SELECT 1",  # the commit does
    Kind.MYSQL: "UNLOCK TABLES",
}
WAITING = {
    Kind.POSTGRESQL: (
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ),
    Kind.MYSQL: (
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND state LIKE 'Waiting for table%'"
    ),
}
SOON = 20.0


@pytest.fixture
async def cluster(migrated_server_url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster on each server."""
    metastore = Metastore(migrated_server_url, pool_size=4)
    async with a_cluster(metastore, tmp_path) as made:
        yield made
    assert metastore.pooled_out == 0
    await metastore.close()


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """The app behind a real server; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, http="httptools"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def locked_variables(metastore: Metastore) -> AsyncIterator[None]:
    """Nobody else can read or write variables meanwhile."""
    async with metastore.transaction() as tx:
        await tx.execute(LOCK[metastore.dialect.kind])
        try:
            yield
        finally:
            await tx.execute(UNLOCK[metastore.dialect.kind])


async def until_waiting(metastore: Metastore, number: int) -> None:
    """Wait until so many statements wait for a table."""
    async with asyncio.timeout(SOON):
        while True:
            async with metastore.glance() as tx:
                if int((await tx.execute(WAITING[metastore.dialect.kind])).scalar_one()) == number:
                    return


async def ask(port: int, cluster: Cluster, method: str, path: str, body: object = None) -> asyncio.StreamWriter:
    """Send a request of an Op and wait for nothing."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    content = b"" if body is None else json.dumps(body).encode()
    lines = (
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: {cluster.op.headers['Authorization']}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    writer.write("\r\n".join([*lines, "", ""]).encode() + content)
    await writer.drain()
    return writer


async def test_the_query_of_a_reader_who_has_left_ends_while_it_still_waits(cluster: Cluster) -> None:
    async with served(cluster.app) as port:
        async with locked_variables(cluster.metastore):
            writer = await ask(port, cluster, "GET", "/api/v2/variables")
            await until_waiting(cluster.metastore, 1)

            writer.close()

            await until_waiting(cluster.metastore, 0)
        assert (await cluster.op.get("/api/v2/variables")).json()["total_entries"] == 0


async def test_a_change_is_made_though_its_client_has_left(cluster: Cluster) -> None:
    async with served(cluster.app) as port:
        async with locked_variables(cluster.metastore):
            writer = await ask(port, cluster, "POST", "/api/v2/variables", {"key": "left", "value": "behind"})
            await until_waiting(cluster.metastore, 1)
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(SOON):
            while (await cluster.op.get("/api/v2/variables/left")).status_code != 200:
                pass


async def test_whoever_stays_is_answered(cluster: Cluster) -> None:
    async with served(cluster.app) as port:
        async with locked_variables(cluster.metastore):
            gone = await ask(port, cluster, "GET", "/api/v2/variables")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            token = cluster.op.headers["Authorization"]
            writer.write(f"GET /api/v2/variables HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
            await until_waiting(cluster.metastore, 2)
            gone.close()
            await until_waiting(cluster.metastore, 1)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
