"""Variables and connections for a local run: copies of those of the configured metastore, and those of files."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowd.db.dialect import Kind
from flowd.db.metastore import Metastore
from flowd.db.metastore_url import normalise
from flowd.db.revisions import SchemaState, current
from flowd.db.secrets_store import Connections, Variables
from flowd.domain.errors import FlowdError, InvalidInput
from flowd.local_run.environment import environment
from flowd.roles.look_ups import Library
from flowd.security.vault import Vault
from flowd.settings.load import Keys, load_settings
from flowd.settings.model import Settings

log = logging.getLogger(__name__)


def has_metastore(settings: Settings) -> bool:
    """Return False where the configured metastore is a file that is not there yet."""
    url, kind = normalise(settings.database.url.get_secret_value())
    return kind is not Kind.SQLITE or Path(url.database or "").is_file()


async def copy_look_ups(settings: Settings, library: Library) -> None:
    """Copy every variable and connection of the configured metastore, so that what a test changes it changes alone.

    Where it cannot be read, that is logged.
    """
    metastore = Metastore(settings.database.url.get_secret_value(), pool_size=1)
    try:
        if (await current(metastore)).state is not SchemaState.UP_TO_DATE:
            log.warning("%s has another schema than this flowd: its variables are not copied", metastore.name)
            return
        vault = Vault(load_settings(os.environ, keys=Keys.MAKE).security.fernet_keys)
        await library.variables.set(*await Variables(metastore, vault).list())
        await library.connections.set(*await Connections(metastore, vault).list())
    except FlowdError as error:
        log.warning("variables and connections are not copied: %s", error)
    finally:
        await metastore.close()


@contextmanager
def look_ups_of_files(connections: str | None, variables: str | None) -> Iterator[None]:
    """Let the connections and variables of these files come before all others within the block.

    A file is a JSON object, or lines of NAME=VALUE where it is named *.env. A connection is a URI or an object with its
    fields. Raises InvalidInput for a file that is neither.
    """
    given = {
        **{f"AIRFLOW_CONN_{name.upper()}": _text(value) for name, value in _entries(connections).items()},
        **{f"AIRFLOW_VAR_{name.upper()}": _text(value) for name, value in _entries(variables).items()},
    }
    with environment(given):
        yield


def _entries(path: str | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error
    if path.endswith(".env"):
        lines = [line.strip().partition("=") for line in text.splitlines()]
        return {name.strip(): value.strip() for name, _, value in lines if name and not name.startswith("#")}
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{path} is no JSON: {error}; wanted a JSON object, or NAME=VALUE lines in *.env") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{path} holds {type(document).__name__}; wanted a JSON object with an entry for each name")
    return document


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
