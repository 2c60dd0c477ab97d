"""S3LogStore: the logs of tries in a bucket, each as chunks that are named by where they begin.

The chunks of `DAG/RUN/TASK~TRY.log` are `PREFIX/DAG/RUN/TASK~TRY.log/LEG-START`. The last chunk of a leg is written
anew, longer, until it is long enough; all others never change. So a log is read by one listing and reads of ranges,
and a writer that starts again finds in the listing how far its predecessor came.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import aioboto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from flowd.domain.errors import InvalidSettings
from flowd.logs.chunks import Chunk, LogStoreUnavailable
from flowd.logs.source import OpenLog

ANSWER_SECONDS = 30.0
CONNECT_SECONDS = 3.0

_TRIES = 3
_CONNECTIONS = 32
_LONGEST_REASON = 300
_HOPELESS = frozenset({"NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """A bucket and a prefix in it; an empty region or endpoint is what AWS's own configuration says."""

    bucket: str
    prefix: str
    region: str
    endpoint_url: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


class S3LogStore:
    """Writes and reads chunks; `root` is the folder below which the paths of logs are named to `open`."""

    def __init__(self, place: S3Place, root: Path) -> None:
        self._place = place
        self._root = root
        self._client: Any = None

    def __str__(self) -> str:
        return str(self._place)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Own the client for the time of the context.

        Raises InvalidSettings where there are no credentials, no region, no such bucket, or no right to list it. A
        store that does not answer is no reason not to start.
        """
        session = aioboto3.Session(region_name=self._place.region or None)
        found = session.get_credentials()
        if (await found if asyncio.iscoroutine(found) else found) is None:
            raise InvalidSettings(
                f"logs.store is {self._place} and this machine has no AWS credentials; set AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY, or give the machine a role"
            )
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=_CONNECTIONS,
        )
        try:
            client = session.client("s3", endpoint_url=self._place.endpoint_url or None, config=config)
            async with client as self._client:
                await self._check()
                yield
        except NoRegionError as exc:
            raise InvalidSettings("logs.store needs an AWS region; set FLOWD__LOGS__STORE_REGION") from exc
        finally:
            self._client = None

    async def open(self, path: Path) -> OpenLog | None:
        """Return the log at this path below the root; None where no chunk of it is there."""
        chunks = await self.chunks(path.relative_to(self._root))
        return _S3Log(self, chunks) if chunks else None

    async def chunks(self, path: Path) -> Sequence[Chunk]:
        """Return the chunks of the log at this path, in the order of what was written."""
        folder, token, found = self._folder(path), None, list[Chunk]()
        while True:
            more: dict[str, Any] = {"ContinuationToken": token} if token else {}
            answer = await self._call("list_objects_v2", Bucket=self._place.bucket, Prefix=folder, **more)
            for item in answer.get("Contents", ()):
                leg, _, start = item["Key"].removeprefix(folder).partition("-")
                found.append(Chunk(key=item["Key"], leg=int(leg), start=int(start), size_bytes=item["Size"]))
            token = answer.get("NextContinuationToken")
            if not token:
                return found

    async def put(self, path: Path, leg: int, start: int, data: bytes) -> None:
        """Write the chunk of this leg that begins at `start`, in the place of a shorter one."""
        # Of a fixed width, so that the names sort as the numbers do.
        key = f"{self._folder(path)}{leg:05d}-{start:013d}"
        await self._call("put_object", Bucket=self._place.bucket, Key=key, Body=data, ContentType="text/plain")

    async def get(self, chunk: Chunk, start: int, length: int) -> bytes:
        """Return a range of a chunk, which must not be empty."""
        span = f"bytes={start}-{start + length - 1}"
        answer = await self._call("get_object", Bucket=self._place.bucket, Key=chunk.key, Range=span)
        try:
            async with asyncio.timeout(ANSWER_SECONDS), answer["Body"] as body:
                data: bytes = await body.read()
        except (TimeoutError, BotoCoreError, OSError) as exc:
            raise LogStoreUnavailable(f"{self._place} stopped in the middle of an answer") from exc
        return data

    def _folder(self, path: Path) -> str:
        return "/".join(part for part in (self._place.prefix, *path.parts) if part) + "/"

    async def _check(self) -> None:
        try:
            await self._call("list_objects_v2", Bucket=self._place.bucket, Prefix=self._place.prefix, MaxKeys=1)
        except LogStoreUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response.get("Error", {}).get("Code") in _HOPELESS:
                raise InvalidSettings(f"logs.store: {error}; set FLOWD__LOGS__STORE to a bucket of yours") from error

    async def _call(self, operation: str, **parameters: Any) -> Any:
        if self._client is None:
            raise LogStoreUnavailable(f"{self._place} is not open")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await getattr(self._client, operation)(**parameters)
        except TimeoutError as exc:
            raise LogStoreUnavailable(f"{self._place} does not answer: nothing within {ANSWER_SECONDS:g} s") from exc
        except ClientError as exc:
            error = exc.response.get("Error", {})
            reason = f"{error.get('Code')}: {str(error.get('Message', ''))[:_LONGEST_REASON]}"
            raise LogStoreUnavailable(f"{self._place} refuses {operation} ({reason})") from exc
        except (BotoCoreError, OSError) as exc:
            raise LogStoreUnavailable(f"{self._place} does not answer: {str(exc)[:_LONGEST_REASON]}") from exc


class _S3Log:
    """Chunks one behind the other."""

    def __init__(self, store: S3LogStore, chunks: Sequence[Chunk]) -> None:
        self._store = store
        self._chunks = chunks
        self._begins = [0, *accumulate(chunk.size_bytes for chunk in chunks)]
        self.size_bytes = self._begins[-1]

    async def read(self, start: int, length: int) -> bytes:
        end = min(start + length, self.size_bytes)
        wanted: list[tuple[Chunk, int, int]] = []
        while start < end:
            number = bisect_right(self._begins, start) - 1
            chunk, inside = self._chunks[number], start - self._begins[number]
            taken = min(chunk.size_bytes - inside, end - start)
            wanted.append((chunk, inside, taken))
            start += taken
        return b"".join(await asyncio.gather(*(self._store.get(*one) for one in wanted)))
