"""SecretsManagerSecrets: variables and connections in AWS Secrets Manager, under the names that Airflow gives them."""

import json
import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import unquote

from flowd.secret_backends.aws_client import AwsClient
from flowd.secret_backends.base import SecretsUnavailable
from flowd.settings.secret_backends import SecretsManager

# A secret that is being deleted answers InvalidRequest, and a name that none can have one of the last two.
_ABSENT = frozenset(
    {"ResourceNotFoundException", "InvalidRequestException", "InvalidParameterException", "ValidationException"}
)
_WORDS: Mapping[str, tuple[str, ...]] = {
    "login": ("login", "user", "username", "user_name"),
    "password": ("password", "pass", "key"),
    "host": ("host", "remote_host", "server"),
    "port": ("port",),
    "schema": ("database", "schema"),
    "conn_type": ("conn_type", "conn_id", "connection_type", "engine"),
    "extra": ("extra",),
}
"""The keys under which the parts of a connection are found in a JSON secret, as Airflow's provider documents them."""


class SecretsManagerSecrets:
    """Asks AWS for each name; `flowd.secret_backends.lookup` keeps the answers for a while."""

    def __init__(self, told: SecretsManager) -> None:
        self._told = told
        self._client = AwsClient("secretsmanager", told)

    def open(self) -> AbstractAsyncContextManager[None]:
        """Own the client for the time of the context."""
        return self._client.open()

    async def variable(self, key: str) -> str | None:
        """Return the text of the secret PREFIX, separator, KEY."""
        told = self._told
        return await self._secret(told.variables_prefix, told.variables_lookup_pattern, key)

    async def connection(self, conn_id: str) -> str | None:
        """Return the secret PREFIX, separator, ID: a URI, or a JSON object whose keys are put in order."""
        told = self._told
        text = await self._secret(told.connections_prefix, told.connections_lookup_pattern, conn_id)
        if text is None or not text.lstrip().startswith("{"):
            return text
        try:
            found = json.loads(text)
        except ValueError:
            raise SecretsUnavailable(
                f"secretsmanager of AWS: connection {conn_id!r} begins as JSON and is none"
            ) from None
        return json.dumps({part: self._part(found, part) for part in _WORDS})

    def _part(self, found: Mapping[str, Any], part: str) -> Any:
        # Airflow's own documentation calls the login `user` where words are added to it.
        added = self._told.extra_conn_words
        words = (*_WORDS[part], *added.get(part, ()), *(added.get("user", ()) if part == "login" else ()))
        value = next((one for key, one in found.items() if key in words), None)
        return unquote(value) if isinstance(value, str) and self._told.are_secret_values_urlencoded else value

    async def _secret(self, prefix: str | None, pattern: str | None, name: str) -> str | None:
        if prefix is None or (pattern and not re.match(pattern, name, re.IGNORECASE)):
            return None
        separator = self._told.sep
        path = f"{prefix.rstrip(separator)}{separator}{name}" if prefix else name
        answer = await self._client.call("get_secret_value", absent=_ABSENT, SecretId=path)
        return None if answer is None else answer.get("SecretString")
