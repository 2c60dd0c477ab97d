"""Connections to MySQL and MariaDB: how a URL wants them encrypted, and the servers that are too old."""

import asyncio
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from asyncmy import errors

from flowd.db.driver_mysql import LARGEST, MysqlDriver
from flowd.db.engine import connect_mysql
from flowd.db.metastore import Metastore
from flowd.db.metastore_url import normalise
from flowd.db.mysql_connection import connect, expect_able
from flowd.db.mysql_options import tls_of
from flowd.domain.errors import InvalidInput, InvalidSettings

URL = "mysql://flowd:hunter2@db/flowd"


@pytest.mark.parametrize(
    ("options", "verifies", "checks_name"),
    [
        ("?ssl-mode=REQUIRED", ssl.CERT_NONE, False),
        ("?ssl_mode=VERIFY_CA", ssl.CERT_REQUIRED, False),
        ("?ssl-mode=verify-identity", ssl.CERT_REQUIRED, True),
        ("?ssl-ca={ca}", ssl.CERT_REQUIRED, True),
        ("?ssl-ca={ca}&ssl-mode=required", ssl.CERT_NONE, False),
    ],
)
def test_the_url_says_how_far_the_server_is_trusted(
    options: str, verifies: ssl.VerifyMode, checks_name: bool, certificate: Path
) -> None:
    url, _ = normalise(URL + options.format(ca=certificate))

    context = tls_of(url)

    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (verifies, checks_name)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody else has signed."""
    folder = tmp_path_factory.mktemp("certificate")
    program = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db"]
    subprocess.run(
        [*program, "-keyout", folder / "key.pem", "-out", folder / "ca.pem"], check=True, capture_output=True
    )
    return folder / "ca.pem"


@pytest.mark.parametrize("options", ["", "?ssl-mode=disabled", "?charset=utf8mb4"])
def test_a_url_that_asks_for_no_tls_gets_none(options: str) -> None:
    assert tls_of(normalise(URL + options)[0]) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?ssl-mode=preferred", "ssl-mode=preferred; wanted one of disabled, required"),
        ("?ssl-ca=/no/such/file", "certificates .* cannot be read"),
        ("?autocommit=1", "option 'autocommit'; .* wanted ssl-mode"),
    ],
)
def test_an_option_that_cannot_be_followed_is_refused_before_anything_is_sent(options: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        Metastore(URL + options)

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "version",
    ["5.5.5-10.6.0-MariaDB", "10.11.6-MariaDB-0+deb12u1", "11.4.2-MariaDB", "8.0.17", "8.4.3", "9.1.0-commercial"],
)
def test_servers_that_can_hold_a_metastore_are_taken(version: str) -> None:
    expect_able(version)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("5.5.5-10.5.29-MariaDB", "MariaDB 10.5.29; wanted 10.6 or newer"),
        ("5.5.68-MariaDB", "MariaDB 5.5.68; wanted 10.6 or newer"),
        ("8.0.16", r"MySQL 8.0.16; wanted 8.0.17 or newer: upgrade the server, or set FLOWD__DATABASE__URL"),
        ("5.7.44-log", "MySQL 5.7.44"),
    ],
)
def test_servers_that_are_too_old_are_refused_with_what_to_do(version: str, message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        expect_able(version)


async def test_an_old_server_is_no_outage_that_a_node_would_wait_for() -> None:
    async with a_server_that_says("5.5.5-10.3.39-MariaDB") as port:
        metastore = Metastore(f"mysql://flowd@127.0.0.1:{port}/flowd")

        with pytest.raises(InvalidSettings, match=r"MariaDB 10\.3\.39; wanted 10.6 or newer"):
            async with metastore.reading():
                pass
        await metastore.close()


async def test_a_server_that_accepts_and_says_nothing_is_given_up_as_one_that_is_away() -> None:
    left = asyncio.Event()

    async def fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client hangs up
        writer.close()
        left.set()

    server = await asyncio.start_server(fall_silent, "127.0.0.1", 0)
    url, _ = normalise(f"mysql://flowd@127.0.0.1:{server.sockets[0].getsockname()[1]}/flowd")

    with pytest.raises(errors.OperationalError, match=r"no answer of a MySQL or MariaDB server within 0\.2 seconds"):
        await connect(url, connect_seconds=0.2, statement_seconds=3600, idle_seconds=60)

    async with asyncio.timeout(120):
        await left.wait()
    server.close()


async def test_closing_connections_that_the_server_has_ended_says_nothing(
    mariadb_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    metastore, other = Metastore(mariadb_url, pool_size=1), Metastore(mariadb_url, pool_size=1)
    async with metastore.transaction() as tx:
        ended = (await tx.execute("SELECT CONNECTION_ID()")).scalar_one()
    async with other.transaction() as tx:
        await tx.execute(f"KILL {ended}")

    await metastore.close()
    await other.close()

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_cancellation_that_comes_with_the_answer_is_not_dropped(mariadb_url: str) -> None:
    url = normalise(mariadb_url)[0]
    connection, dropped = await connect_mysql(url), 0

    async def ask(asked: asyncio.Event) -> None:
        async with connection.cursor() as cursor:
            asked.set()
            await cursor.execute("SELECT 1")

    for hops in range(200):
        asked = asyncio.Event()
        task = asyncio.create_task(ask(asked))
        await asked.wait()
        # The answer is there after some turns of the loop; over all rounds every one of them is tried.
        for _ in range(hops % 20):
            await asyncio.sleep(0.00002)
        if task.cancel():
            await asyncio.wait([task])
            dropped += not task.cancelled()
            connection = await connect_mysql(url)

    assert dropped == 0
    await connection.ensure_closed()


async def test_a_value_that_no_packet_holds_is_refused_with_both_sizes_and_the_connection_lives(
    mariadb_url: str,
) -> None:
    metastore = Metastore(mariadb_url, pool_size=1)
    async with metastore.transaction() as tx:
        most = int((await tx.execute("SELECT @@max_allowed_packet")).scalar_one())
        connection = (await tx.execute("SELECT CONNECTION_ID()")).scalar_one()

    with pytest.raises(InvalidInput, match=f"takes {most:,}; set max_allowed_packet"):
        async with metastore.transaction() as tx:
            await tx.execute("SELECT LENGTH(:value)", {"value": "x" * most})

    async with metastore.transaction() as tx:
        fits = most - 100_000
        assert (await tx.execute("SELECT LENGTH(:value)", {"value": "x" * fits})).scalar_one() == fits
        assert (await tx.execute("SELECT CONNECTION_ID()")).scalar_one() == connection
    await metastore.close()


async def test_the_size_of_a_value_is_counted_in_bytes(mariadb_url: str) -> None:
    connection, info = await connect_mysql(normalise(mariadb_url)[0]), {LARGEST: 1024 * 1024}
    driver = MysqlDriver(connection, info, connect=never)

    with pytest.raises(InvalidInput, match="the server takes 1,048,576"):
        await driver.execute("SELECT LENGTH(:value)", {"value": "\N{SNAKE}" * 270_000})

    await connection.ensure_closed()


async def never() -> None:
    raise AssertionError("nobody waits for this statement any more")


@asynccontextmanager
async def a_server_that_says(version: str) -> AsyncIterator[int]:
    """The port of a server that greets with this version and takes any password."""

    gone = asyncio.Event()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        capabilities = 0xFFFF & ~0x0800  # everything of its time but TLS
        greeting = b"\x0a" + version.encode() + b"\0" + (1).to_bytes(4, "little") + b"saltsalt\0"
        greeting += capabilities.to_bytes(2, "little") + b"\x2d" + (2).to_bytes(2, "little") + (8).to_bytes(2, "little")
        greeting += b"\x15" + bytes(10) + b"saltsaltsalt\0" + b"mysql_native_password\0"
        writer.write(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
        await reader.read(4096)
        ok = b"\0\0\0\x02\0\0\0"  # in autocommit
        writer.write(len(ok).to_bytes(3, "little") + b"\x02" + ok)
        await reader.read(4096)
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await gone.wait()
