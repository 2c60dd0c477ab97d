"""FileSecrets: variables and connections of files, as Airflow's LocalFilesystemBackend reads them: JSON, YAML, .env."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from flowd.domain.errors import InvalidSettings
from flowd.secret_backends.base import SecretsUnavailable

_COMMENT = re.compile(r"\s*#")


class FileSecrets:
    """Reads a file again whenever it has changed, so that a mounted secret can be replaced while the node runs."""

    def __init__(self, *, variables: Path | None, connections: Path | None) -> None:
        self._variables = None if variables is None else _File(variables, _variables)
        self._connections = None if connections is None else _File(connections, _connections)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Read what there is; raise InvalidSettings where it cannot be read."""
        try:
            for file in (self._variables, self._connections):
                if file is not None:
                    await file.read()
        except SecretsUnavailable as error:
            raise InvalidSettings(f"secrets.backend: {error}") from error
        yield

    async def variable(self, key: str) -> str | None:
        """Return the text of a variable; what is no text in the file is JSON."""
        return None if self._variables is None else (await self._variables.read()).get(key)

    async def connection(self, conn_id: str) -> str | None:
        """Return a connection as a URI, or as a JSON object."""
        return None if self._connections is None else (await self._connections.read()).get(conn_id)


class _File:
    """A file, and what it held when it was looked at last."""

    def __init__(self, path: Path, texts: Callable[[Path, Mapping[str, Any]], Mapping[str, str]]) -> None:
        self._path = path
        self._texts = texts
        self._state: tuple[int, int, int] | None = None
        self._held: Mapping[str, str] = {}

    async def read(self) -> Mapping[str, str]:
        """Return the texts by name; raise SecretsUnavailable, which shows nothing of what the file holds."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> Mapping[str, str]:
        try:
            found = self._path.stat()
            state = (found.st_mtime_ns, found.st_size, found.st_ino)
            if state != self._state:
                self._held = self._texts(self._path, _document(self._path, self._path.read_text(encoding="utf-8")))
                self._state = state
        except OSError as error:
            raise SecretsUnavailable(f"{self._path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SecretsUnavailable(f"{self._path} is no UTF-8 text") from error
        return self._held


def _document(path: Path, text: str) -> Mapping[str, Any]:
    match path.suffix.lower():
        case ".env":
            return _env_lines(path, text)
        case ".json":
            document = _json(path, text)
        case ".yaml" | ".yml":
            document = _yaml(path, text)
        case _:
            raise SecretsUnavailable(f"{path} is named as no kind that is read; wanted .json, .yaml, .yml or .env")
    if not isinstance(document, dict):
        raise SecretsUnavailable(
            f"{path} holds {type(document).__name__}; wanted an object with an entry for each name"
        )
    return {str(name): value for name, value in document.items()}


def _env_lines(path: Path, text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or _COMMENT.match(line):
            continue
        name, _, value = line.partition("=")
        if not name or not value:
            raise SecretsUnavailable(f"{path}, line {number} is not as wanted: NAME=VALUE")
        if name in found:
            raise SecretsUnavailable(f"{path}, line {number} gives {name!r} a second time")
        found[name] = value
    return found


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SecretsUnavailable(f"{path}, line {error.lineno} is no JSON: {error.msg}") from None


def _yaml(path: Path, text: str) -> Any:
    try:
        import yaml  # an extra of the package: who keeps secrets in JSON needs none
    except ModuleNotFoundError as error:
        raise SecretsUnavailable(f"{path} is YAML, and PyYAML is not installed; pip install 'flowd[yaml]'") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # The error's own text quotes the line, which may be a secret.
        raise SecretsUnavailable(f"{path}, line {mark.line + 1 if mark else '?'} is no YAML") from None


def _variables(_path: Path, document: Mapping[str, Any]) -> Mapping[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}


def _connections(path: Path, document: Mapping[str, Any]) -> Mapping[str, str]:
    return {name: _connection(path, name, value) for name, value in document.items()}


def _connection(path: Path, name: str, value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise SecretsUnavailable(f"{path}: connection {name!r} is neither a URI nor an object")
    if value.get("conn_id", name) != name:
        raise SecretsUnavailable(f"{path}: connection {name!r} calls itself {value['conn_id']!r}")
    if "extra" in value and "extra_dejson" in value:
        raise SecretsUnavailable(f"{path}: connection {name!r} has an extra and an extra_dejson; wanted one of them")
    return json.dumps({"extra" if key == "extra_dejson" else key: one for key, one in value.items()})
