"""The store of the logs that the settings name, with nothing loaded where they name none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flowd.domain.errors import InvalidSettings
from flowd.settings.model import LogsSettings

if TYPE_CHECKING:
    from flowd.logs.s3_store import S3LogStore


@asynccontextmanager
async def open_log_store(settings: LogsSettings) -> "AsyncIterator[S3LogStore | None]":
    """Open the store for the time of the context; None where logs are files that all nodes share.

    Raises InvalidSettings where a package, credentials or the bucket are missing.
    """
    if not settings.store:
        yield None
        return
    try:
        from flowd.logs.s3_store import S3LogStore, S3Place  # aioboto3, which only this store needs
    except ModuleNotFoundError as error:
        raise InvalidSettings(
            f"logs.store is {settings.store}, and {error.name} is not installed; pip install 'flowd[aws]'"
        ) from error
    bucket, _, prefix = settings.store.removeprefix("s3://").partition("/")
    place = S3Place(
        bucket=bucket,
        prefix=prefix.strip("/"),
        region=settings.store_region,
        endpoint_url=settings.store_endpoint_url,
    )
    store = S3LogStore(place, settings.folder)
    async with store.opened():
        yield store
