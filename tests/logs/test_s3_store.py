"""Logs in a bucket: what is read is what was shipped, by ranges, whatever dies in between."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aioboto3
import pytest

from flowd.domain.errors import InvalidSettings
from flowd.logs.chunks import LogStoreUnavailable
from flowd.logs.reader import LogReader
from flowd.logs.s3_store import S3LogStore, S3Place
from flowd.queue.structured import alongside
from flowd.roles.worker import log_shipper
from flowd.roles.worker.log_shipper import LogShipper
from tests.support.tcp_proxy import TcpProxy

ROOT = Path("/logs")
TRY = Path("dag/run/task~1.log")


@pytest.fixture
async def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    name = f"logs-{secrets.token_hex(6)}"
    async with aioboto3.Session(region_name="us-east-1").client("s3", endpoint_url=s3_endpoint) as client:
        await client.create_bucket(Bucket=name)
    return name


@pytest.fixture
async def store(bucket: str, s3_endpoint: str) -> AsyncIterator[S3LogStore]:
    async with AsyncExitStack() as stack:
        yield await opened(stack, bucket, s3_endpoint)


async def opened(stack: AsyncExitStack, bucket: str, endpoint: str) -> S3LogStore:
    place = S3Place(bucket=bucket, prefix="some/prefix", region="us-east-1", endpoint_url=endpoint)
    store = S3LogStore(place, ROOT)
    await stack.enter_async_context(store.opened())
    return store


async def whole(store: S3LogStore, path: Path = TRY) -> bytes:
    log = await store.open(ROOT / path)
    return b"" if log is None else await log.read(0, log.size_bytes)


class Counting:
    """A store that notes what is asked of it."""

    def __init__(self, store: S3LogStore) -> None:
        self._client: Any = store._client
        self.bytes_read = 0
        store._client = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def get_object(self, **parameters: Any) -> Any:
        first, _, last = parameters["Range"].removeprefix("bytes=").partition("-")
        self.bytes_read += int(last) - int(first) + 1
        return await self._client.get_object(**parameters)


async def test_chunks_are_read_as_one_log_in_the_order_of_legs_and_offsets(store: S3LogStore) -> None:
    await store.put(TRY, 0, 0, b"a" * 9)
    await store.put(TRY, 1, 0, b"c" * 9)
    await store.put(TRY, 0, 9, b"b" * 9)
    await store.put(Path("dag/run/task~10.log"), 0, 0, b"another try")

    log = await store.open(ROOT / TRY)

    assert log is not None and log.size_bytes == 27
    assert await log.read(0, 100) == b"a" * 9 + b"b" * 9 + b"c" * 9
    assert await log.read(7, 13) == b"aa" + b"b" * 9 + b"cc"
    assert await log.read(27, 5) == b""
    assert await store.open(ROOT / "dag/run/other~1.log") is None


async def test_the_tail_of_a_long_log_costs_a_window_and_not_the_log(store: S3LogStore) -> None:
    line = b"2026-01-01T12:00:00.000001Z o %06d\n"
    text = b"".join(line % number for number in range(200_000))
    for start in range(0, len(text), 256 * 1024):
        await store.put(TRY, 0, start, text[start : start + 256 * 1024])
    counted = Counting(store)

    window = await LogReader(window_bytes=64 * 1024, source=store).tail(ROOT / TRY)

    assert window is not None and window.is_last and window.size_bytes == len(text)
    assert window.lines[-1].text == "199999"
    assert len(window.lines) > 1_000
    assert counted.bytes_read < 3 * 64 * 1024


async def test_a_log_is_in_the_store_while_it_is_written_and_off_the_disk_once_it_is_finished(
    store: S3LogStore, tmp_path: Path
) -> None:
    shipper = LogShipper(store, tmp_path)
    file = shipper.root(0) / TRY
    shipper.follow(file, 0)
    async with alongside(shipper.run()):
        write(file, b"first\n")
        await until_shipped(store, b"first\n")
        write(file, b"second\n")
        await until_shipped(store, b"first\nsecond\n")
        write(file, b"last\n")
        await shipper.finish(file)

        assert await whole(store) == b"first\nsecond\nlast\n"
    assert not file.exists()
    assert len(await store.chunks(TRY)) == 1


async def test_long_logs_are_few_chunks(store: S3LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_shipper, "CHUNK_BYTES", 1024)
    monkeypatch.setattr(log_shipper, "CLOSED_BYTES", 256)
    shipper = LogShipper(store, tmp_path)
    file = shipper.root(0) / TRY
    shipper.follow(file, 0)
    text = secrets.token_bytes(10_000)
    for start in range(0, len(text), 100):
        write(file, text[start : start + 100])
        await shipper._ship_all(list(shipper._shipping.values()))

    await shipper.finish(file)

    assert await whole(store) == text
    assert len(await store.chunks(TRY)) <= 10_000 / 256 + 1


async def test_what_a_dead_worker_had_not_shipped_its_successor_ships_once(
    store: S3LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_shipper, "SETTLE_SECONDS", 0)
    dead = LogShipper(store, tmp_path / "0")
    half, none = dead.root(2) / TRY, dead.root(0) / "dag/run/other~1.log"
    dead.follow(half, 2)
    write(half, b"shipped\n")
    await dead._ship_all(list(dead._shipping.values()))
    write(half, b"not shipped\n")
    write(none, b"never seen\n")

    heir = LogShipper(store, tmp_path / "1")
    heir.inherit(tmp_path / "0")
    async with alongside(heir.run()):
        await until_shipped(store, b"shipped\nnot shipped\n")
        await until_shipped(store, b"never seen\n", Path("dag/run/other~1.log"))

    assert {chunk.leg for chunk in await store.chunks(TRY)} == {2}
    assert not half.exists() and not none.exists()


async def test_while_the_store_is_away_logs_stay_on_the_disk_and_go_there_when_it_is_back(
    bucket: str, s3_endpoint: str, tmp_path: Path
) -> None:
    port = int(s3_endpoint.rpartition(":")[2])
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(TcpProxy("127.0.0.1", port))
        store = await opened(stack, bucket, f"http://127.0.0.1:{proxy.port}")
        shipper = LogShipper(store, tmp_path)
        file = shipper.root(0) / TRY
        shipper.follow(file, 0)
        async with alongside(shipper.run()):
            write(file, b"before\n")
            await until_shipped(store, b"before\n")
            await proxy.refuse()
            write(file, b"meanwhile\n")
            await shipper.finish(file)
            assert file.read_bytes() == b"before\nmeanwhile\n"
            await proxy.heal()
            await until_shipped(store, b"before\nmeanwhile\n")


async def test_a_log_that_cannot_be_read_keeps_no_later_one_away(store: S3LogStore, tmp_path: Path) -> None:
    shipper = LogShipper(store, tmp_path)
    bad = shipper.root(0) / "dag" / "run" / "bad~1.log"
    bad.mkdir(parents=True)
    shipper.follow(bad, 0)
    async with alongside(shipper.run()):
        await shipper.finish(bad)
        file = shipper.root(0) / TRY
        write(file, b"later\n")
        shipper.follow(file, 0)
        await until_shipped(store, b"later\n")


async def test_a_bucket_that_is_not_there_is_told_at_the_start(bucket: str, s3_endpoint: str) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(InvalidSettings, match=r"s3://no-such-bucket/some/prefix.*NoSuchBucket.*FLOWD__LOGS__STORE"):
            await opened(stack, "no-such-bucket", s3_endpoint)


async def test_a_store_that_is_away_is_no_reason_not_to_start(bucket: str) -> None:
    async with AsyncExitStack() as stack:
        store = await opened(stack, bucket, "http://127.0.0.1:9")

        with pytest.raises(LogStoreUnavailable, match="does not answer"):
            await store.open(ROOT / TRY)


def write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as opened_file:
        opened_file.write(data)


async def until_shipped(store: S3LogStore, wanted: bytes, path: Path = TRY) -> None:
    async with asyncio.timeout(60):
        while await whole(store, path) != wanted:  # noqa: ASYNC110 - what is in the store rings no bell
            await asyncio.sleep(0.05)
