"""The types of single settings: how the text of an environment variable becomes a value, and how it is shown."""

import binascii
import re
from base64 import urlsafe_b64decode
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, Secret, SecretStr
from pydantic.config import JsonDict

from flowd.settings.units import format_duration, format_size, parse_duration, parse_size

HIDDEN = "***"
FERNET_KEY_BYTES = 32
SECRET_KEY_CHARACTERS = 16

_PASSWORD_IN_URL = re.compile(r"(://[^:/@]*):(.*)@")
_PASSWORD_IN_QUERY = re.compile(r"([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE)


class NodeRole(StrEnum):
    """A part of flowd that a node can run."""

    API = "api"
    SCHEDULER = "scheduler"
    WORKER = "worker"
    KERBEROS = "kerberos"


class LogFormat(StrEnum):
    """How log lines are written: `auto` is console on a terminal and JSON elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severity that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def hide_password(url: str) -> str:
    """Return `url` fit to be shown: whatever may be a password is replaced by three stars."""
    return _PASSWORD_IN_QUERY.sub(rf"\1{HIDDEN}", _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", url))


def password_of(url: str) -> str | None:
    """Return the password as `url` spells it, or None."""
    found = _PASSWORD_IN_URL.search(url)
    return found[2] if found else None


class SecretUrl(Secret[str]):
    """A URL that may hold a password: `str()` of it hides that."""

    def _display(self) -> str:
        return hide_password(self.get_secret_value())


def _is_http(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    return url.rstrip("/")


def _items(value: object) -> object:
    """A comma list, or a list already; empty items are dropped."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _lowercase(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _unset_where_empty(value: object) -> object:
    """An empty variable is an unset one: compose files and manifests cannot leave one out."""
    return None if value == "" else value


def _never_or_duration(value: object) -> timedelta | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "never")):
        return None
    return parse_duration(value)


def _is_positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("it must be longer than 0s")
    return value


def _is_fernet_key(key: SecretStr) -> SecretStr:
    try:
        size = len(urlsafe_b64decode(key.get_secret_value()))
    except (ValueError, binascii.Error):
        size = 0
    if size != FERNET_KEY_BYTES:
        raise ValueError(
            "each key is 32 bytes in URL-safe base64 (44 characters); make one with"
            " `openssl rand -base64 32 | tr '+/' '-_'`"
        )
    return key


def _is_long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < SECRET_KEY_CHARACTERS:
        raise ValueError(
            f"each key has at least {SECRET_KEY_CHARACTERS} characters; make one with `openssl rand -hex 32`"
        )
    return key


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_is_positive)]
Retention = Annotated[
    timedelta | None,
    BeforeValidator(_never_or_duration),
    PlainSerializer(lambda value: "never" if value is None else format_duration(value)),
]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size)]
Names = Annotated[tuple[str, ...], BeforeValidator(_items), Field(min_length=1)]
OptionalNames = Annotated[tuple[str, ...], BeforeValidator(_items)]
Roles = Annotated[tuple[NodeRole, ...], BeforeValidator(_items), Field(min_length=1)]
SigningKeys = Annotated[tuple[Annotated[SecretStr, AfterValidator(_is_long_enough)], ...], BeforeValidator(_items)]
FernetKeys = Annotated[tuple[Annotated[SecretStr, AfterValidator(_is_fernet_key)], ...], BeforeValidator(_items)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_unset_where_empty)]
Folder = Annotated[Path, AfterValidator(_absolute)]
OptionalFile = Annotated[Folder | None, BeforeValidator(_unset_where_empty)]
HttpUrl = Annotated[str, AfterValidator(_is_http)]
Compression = Literal["", "gzip", "bz2", "xz"]
Level = Annotated[LogLevel, BeforeValidator(_lowercase)]
Style = Annotated[LogFormat, BeforeValidator(_lowercase)]


def setting(default: object, description: str, *, secret: bool = False, **constraints: Any) -> Any:
    """A field whose default is written as its user would write it, and read the same way.

    A `secret` may also be given as a file: `FLOWD__SECTION__KEY_FILE`.
    """
    extra: JsonDict = {"secret": secret}
    return Field(default, validate_default=True, description=description, json_schema_extra=extra, **constraints)
