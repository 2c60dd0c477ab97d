"""BrokerUrl: where an AMQP broker is, on one or several hosts; and how a URL is shown without its password."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from flowd.domain.errors import InvalidInput

DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}
EXAMPLE = "amqp://user:password@host1:5672,host2:5672/vhost"
_PASSWORD = re.compile(r"^(\s*[a-z][a-z0-9+.-]*:/*[^:@]*):.*@", re.IGNORECASE | re.DOTALL)
_NO_PORT = re.compile(r"^(\s*[a-z][a-z0-9+.-]*:/*[^:@\[]*):(?!\d{1,5}([,/?#]|$))[^@]*$", re.IGNORECASE)
"""Of a URL without an @ what stands where a port should: a password, most often, whose @ was forgotten."""

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\[\]:@\s]+)(?::(?P<port>\d{1,5}))?", re.IGNORECASE)


def redact(url: str) -> str:
    """Return `url` with `***` for its password. Where it is ambiguous, rather too much is hidden than too little."""
    return _NO_PORT.sub(r"\1:***", _PASSWORD.sub(r"\1:***@", url))


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUrl:
    """A broker's address: `amqp(s)://user:password@host1:port,host2:port/vhost?options`, options as aiormq reads them.

    `attempts` are the URLs to try in turn. They hold the password and are never shown; `str()` is safe.
    """

    shown: str
    attempts: Sequence[str] = field(repr=False)

    @classmethod
    def parse(cls, url: str, *, heartbeat_seconds: int) -> Self:
        """Read `url`; raise InvalidInput, without its password, where it is none of ours.

        A `heartbeat` among its options goes before `heartbeat_seconds`.
        """
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS:
            raise InvalidInput(f"queue URL {redact(url)!r}: the scheme is {parts.scheme!r}; wanted {EXAMPLE}")
        if "@" in parts.path + parts.query + parts.fragment or parts.fragment:
            raise InvalidInput(
                f"queue URL {redact(url)!r}: a user or password that holds / ? # or @ must be percent-encoded; "
                f"wanted {EXAMPLE}"
            )
        user, at, hosts = parts.netloc.rpartition("@")
        options = {"heartbeat": str(heartbeat_seconds), **dict(parse_qsl(parts.query))}
        attempts = tuple(
            f"{parts.scheme}://{user}{at}{address}{parts.path or '/'}?{urlencode(options)}"
            for address in _addresses(hosts, DEFAULT_PORTS[parts.scheme], redact(url))
        )
        return cls(shown=redact(url), attempts=attempts)

    def __str__(self) -> str:
        return self.shown


def _addresses(hosts: str, default_port: int, shown: str) -> list[str]:
    matches = [(host, _HOST.fullmatch(host.strip())) for host in hosts.split(",")]
    for host, match in matches:
        if match is None or not 0 < int(match["port"] or default_port) < 65536:
            raise InvalidInput(
                f"queue URL {shown!r}: {_fit_to_be_shown(host)!r} is no host with an optional port; wanted {EXAMPLE}"
            )
    return [f"{match['name']}:{match['port'] or default_port}" for _, match in matches if match]


def _fit_to_be_shown(host: str) -> str:
    name, colon, port = host.partition(":")
    return host if not colon or port.isdecimal() else f"{name}:***"
