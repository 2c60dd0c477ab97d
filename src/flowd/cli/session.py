"""What a command works with: the settings, and the metastore on the right schema. Everything is imported on use."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from flowd.cli.client.target import CHOSEN, LOCAL, chosen_server
from flowd.cli.output import note
from flowd.domain.errors import InvalidInput

if TYPE_CHECKING:
    from flowd.db.actor import Actor
    from flowd.db.metastore import Metastore
    from flowd.settings.load import Keys
    from flowd.settings.model import Settings

Result = TypeVar("Result")

TYPED: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())
"""The noun and the verb of the command that runs. No command hands on how it is called; the audit log asks."""


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
    """The metastore on this version's schema, acting for whoever types the command: the audit log tells.

    An embedded one is brought to the schema; for a server that raises Conflict.
    """
    from flowd.db.revisions import SchemaState, current
    from flowd.domain.errors import Conflict

    async with connected(settings) as metastore:
        status = await current(metastore)
        if status.state is not SchemaState.UP_TO_DATE:
            if not metastore.is_embedded:
                raise Conflict(str(status))
            from flowd.db.migrate import upgrade

            await upgrade(metastore)
        yield metastore.acting_for(actor())


def actor() -> "Actor":
    """Return who types this command, as the audit log tells of them."""
    from flowd.db.actor import Actor

    # As Airflow: `flowd users create` is the event cli_users_create, of the user of this machine.
    return Actor(name=_user(), event="_".join(["cli", *TYPED.get()]).replace("-", "_"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def refuse_server() -> None:
    """Raise InvalidInput where `--api` names a server, for a command that works on the metastore itself."""
    if CHOSEN.get() not in (None, LOCAL):
        raise InvalidInput("this command works on the metastore itself: run it where its settings are, without --api")


def with_metastore(settings: "Settings", action: "Callable[[Metastore], Awaitable[Result]]") -> Result:
    """Return what `action` makes of the metastore, in an event loop of its own; raise InvalidInput with --api.

    For what an API cannot do: whoever names a server must not believe that it was done there.
    """
    refuse_server()

    async def run() -> Result:
        async with ready_metastore(settings) as metastore:
            return await action(metastore)

    return asyncio.run(run())


def with_secrets(action: "Callable[[Settings, Metastore], Awaitable[Result]]") -> Result:
    """Return what `action` makes of the metastore and of the keys to its secrets, which no API shows.

    Raises InvalidInput where the commands go to a server.
    """
    if server := chosen_server():
        raise InvalidInput(
            f"{server.url} shows secrets to nobody; run this where the cluster's settings are, with --api local"
        )
    settings = read_settings()
    return with_metastore(settings, lambda metastore: action(settings, metastore))


def say_only_what_is_wrong(settings: "Settings") -> None:
    """Keep stdout for data: what the queue has to say is for a node's log, and here on stderr only if it is wrong."""
    from flowd.logging_setup import configure_logging

    configure_logging(level="warning", style="console", secrets=settings.secret_texts())
