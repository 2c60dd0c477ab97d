"""Target: which API the commands speak to: a server's, or that of this machine's own settings."""

import os
from contextvars import ContextVar
from dataclasses import dataclass, field

from flowd.cli.client import logins
from flowd.domain.errors import InvalidInput

URL_VARIABLE = "FLOWD_API_URL"
TOKEN_VARIABLE = "FLOWD_API_TOKEN"
LOCAL = "local"
"""What `--api` and FLOWD_API_URL say for this machine's settings, whoever has logged in where."""

CHOSEN: ContextVar[str | None] = ContextVar("chosen", default=None)
"""What `--api` said; no command hands it on."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and the token that lets us in, None where nobody has logged in there."""

    url: str
    token: str | None = field(repr=False)


def chosen_server() -> Server | None:
    """Return the server that `--api`, FLOWD_API_URL or the last `flowd login` names, None for this machine's settings.

    Raises InvalidInput for what is no address of a server.
    """
    named = CHOSEN.get() or os.environ.get(URL_VARIABLE) or logins.current()
    if named is None or named == LOCAL:
        return None
    url = server_url(named)
    return Server(url, _token() or logins.token_of(url))


def server_url(text: str) -> str:
    """Return the address of a server as it is kept: scheme, host, port and path, without a slash at the end."""
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    try:
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host = False
    if parts.scheme not in ("http", "https") or not has_host or parts.query or parts.fragment:
        raise InvalidInput(f"{text!r} is no address of a server; wanted one as https://flowd.example.com, or {LOCAL}")
    if parts.username or parts.password:
        raise InvalidInput("the address of a server holds a user name or password; use `flowd login` instead")
    return text.rstrip("/")


def _token() -> str | None:
    """The token that the environment gives, itself or in a file, as secrets of nodes are."""
    token, path = os.environ.get(TOKEN_VARIABLE), os.environ.get(f"{TOKEN_VARIABLE}_FILE")
    if token and path:
        raise InvalidInput(f"{TOKEN_VARIABLE} and {TOKEN_VARIABLE}_FILE are both set; wanted one of them")
    if not path:
        return token or None
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{TOKEN_VARIABLE}_FILE: {path} cannot be read: {error}") from error
