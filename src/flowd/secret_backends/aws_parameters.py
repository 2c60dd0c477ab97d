"""ParameterStoreSecrets: variables and connections in the parameter store of AWS Systems Manager."""

import re
from contextlib import AbstractAsyncContextManager

from flowd.secret_backends.aws_client import AwsClient
from flowd.settings.secret_backends import ParameterStore

# A name that no parameter can have is refused as a ValidationException.
_ABSENT = frozenset({"ParameterNotFound", "ParameterVersionNotFound", "ValidationException"})


class ParameterStoreSecrets:
    """Asks AWS for each name; `flowd.secret_backends.lookup` keeps the answers for a while."""

    def __init__(self, told: ParameterStore) -> None:
        self._told = told
        self._client = AwsClient("ssm", told)

    def open(self) -> AbstractAsyncContextManager[None]:
        """Own the client for the time of the context."""
        return self._client.open()

    async def variable(self, key: str) -> str | None:
        """Return the parameter PREFIX/KEY, decrypted."""
        return await self._parameter(self._told.variables_prefix, self._told.variables_lookup_pattern, key)

    async def connection(self, conn_id: str) -> str | None:
        """Return the parameter PREFIX/ID, decrypted: a URI or a JSON object."""
        return await self._parameter(self._told.connections_prefix, self._told.connections_lookup_pattern, conn_id)

    async def _parameter(self, prefix: str | None, pattern: str | None, name: str) -> str | None:
        if prefix is None or (pattern and not re.match(pattern, name, re.IGNORECASE)):
            return None
        # AWS wants a slash in front of every path; Airflow's users may leave it out.
        path = "/" + f"{prefix.rstrip('/')}/{name}".lstrip("/")
        answer = await self._client.call("get_parameter", absent=_ABSENT, Name=path, WithDecryption=True)
        return None if answer is None else str(answer["Parameter"]["Value"])
