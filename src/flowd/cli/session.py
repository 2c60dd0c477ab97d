"""What a command works with: the settings, and the metastore on the right schema. Everything is imported on use."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from flowd.cli.output import note

if TYPE_CHECKING:
    from flowd.actions.backends import Backends
    from flowd.db.metastore import Metastore
    from flowd.settings.load import Keys
    from flowd.settings.model import Settings

Result = TypeVar("Result")


def read_settings(flags: Mapping[str, object] | None = None, keys: "Keys | None" = None) -> "Settings":
    """Return the settings of this environment and these flags; what of them has no effect is said on stderr.

    Without `keys`, keys are made up where this node is alone on its machine, and asked for elsewhere.
    """
    from flowd.settings.load import Keys, load_settings

    settings = load_settings(os.environ, flags, keys=keys or Keys.MAKE)
    for warning in settings.warnings:
        note(f"flowd: warning: {warning}")
    return settings


def read_settings_without_keys() -> "Settings":
    """Return the settings for a command that neither signs nor encrypts."""
    from flowd.settings.load import Keys

    return read_settings(keys=Keys.OPTIONAL)


@asynccontextmanager
async def connected(settings: "Settings") -> AsyncIterator["Metastore"]:
    """The metastore as it is, whatever its schema; closed at the end."""
    from flowd.db.metastore import Metastore

    metastore = Metastore(settings.database.url.get_secret_value(), pool_size=2)
    try:
        yield metastore
    finally:
        await metastore.close()


@asynccontextmanager
async def ready_metastore(settings: "Settings") -> AsyncIterator["Metastore"]:
    """The metastore on this version's schema. An embedded one is brought to it; for a server that raises Conflict."""
    from flowd.db.revisions import SchemaState, current
    from flowd.domain.errors import Conflict

    async with connected(settings) as metastore:
        status = await current(metastore)
        if status.state is not SchemaState.UP_TO_DATE:
            if not metastore.is_embedded:
                raise Conflict(str(status))
            from flowd.db.migrate import upgrade

            await upgrade(metastore)
        yield metastore


def with_metastore(settings: "Settings", action: "Callable[[Metastore], Awaitable[Result]]") -> Result:
    """Return what `action` makes of the metastore, in an event loop of its own."""

    async def run() -> Result:
        async with ready_metastore(settings) as metastore:
            return await action(metastore)

    return asyncio.run(run())


def say_only_what_is_wrong(settings: "Settings") -> None:
    """Keep stdout for data: what the queue has to say is for a node's log, and here on stderr only if it is wrong."""
    from flowd.logging_setup import configure_logging

    configure_logging(level="warning", style="console", secrets=settings.secrets())


def with_backends(settings: "Settings", action: "Callable[[Backends], Awaitable[Result]]") -> Result:
    """Return what `action` makes of the metastore and the queue, opened as a node opens them."""
    from flowd.node.backends import open_backends

    say_only_what_is_wrong(settings)

    async def run() -> Result:
        async with open_backends(settings, f"cli/{os.getpid()}") as opened:
            return await action(opened.backends)

    return asyncio.run(run())
