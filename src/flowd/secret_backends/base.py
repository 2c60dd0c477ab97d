"""SecretBackend: where variables and connections are looked up before the environment and the metastore."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from flowd.domain.errors import Unavailable


class SecretsUnavailable(Unavailable):
    """A secret backend did not answer, refused us, or holds what cannot be read."""


class SecretBackend(Protocol):
    """Answers by name. What it raises is a SecretsUnavailable that names the backend and shows no secret."""

    def open(self) -> AbstractAsyncContextManager[None]:
        """Own what it needs for the time of the context; raise InvalidSettings where it cannot ever answer."""
        ...

    async def variable(self, key: str) -> str | None:
        """Return the text of a variable, None where there is none."""
        ...

    async def connection(self, conn_id: str) -> str | None:
        """Return a connection as a URI or as a JSON object, None where there is none."""
        ...
