"""Readiness: whether this node should be sent requests."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from flowd.db.metastore import Metastore
from flowd.domain.errors import MetastoreUnavailable

METASTORE_SECONDS = 2.0


class Readiness(Protocol):
    """What the node knows of its own parts."""

    async def problems(self) -> Mapping[str, str]:
        """Return each part that is not ready, and why; empty where all are."""
        ...


async def metastore_problem(metastore: Metastore) -> str | None:
    """Return why the metastore does not answer within METASTORE_SECONDS, None where it does."""
    try:
        async with asyncio.timeout(METASTORE_SECONDS), metastore.reading() as tx:
            await tx.execute("SELECT 1")
    except MetastoreUnavailable as error:
        return str(error)
    except TimeoutError:
        return f"the metastore {metastore.name} did not answer within {METASTORE_SECONDS:g} seconds"
    return None
