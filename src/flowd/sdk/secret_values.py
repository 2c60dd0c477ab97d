"""The secrets that this process has been given: what it reports for people to read shows stars in their place."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from flowd.domain.telling_names import sounds_secret

MASK = "***"
SHORTEST = 4
"""Shorter ones are not masked: every second word would be."""

_NO_SECRETS = {"airflow", "false", "none", "null", "true"}
"""Passwords that are no secret: their words are all over a log."""

_SECRET = "secret"
"""A name by which `mask_secret` takes every value of a mapping."""

_known: set[str] = set()
_told: list[Callable[[str], None]] = []


def mask_secret(value: Any, name: str | None = None) -> None:
    """Mask a text from now on, all texts of a list, or the values of a mapping whose keys sound secret.

    With a `name` that sounds secret every value of a mapping is masked, as Airflow's function of this name does.
    """
    if isinstance(value, str):
        if len(value) >= SHORTEST and value.lower() not in _NO_SECRETS:
            for form in _forms(value) - _known:
                _known.add(form)
                for tell in _told:
                    tell(form)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, (Mapping, list, tuple)) or sounds_secret(name or str(key)) or sounds_secret(str(key)):
                mask_secret(item, name if name and sounds_secret(name) else str(key))
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            mask_secret(item, name)


@contextmanager
def secrets_told_to(tell: Callable[[str], None]) -> Iterator[None]:
    """Call `tell` with each secret that is known, and within the block with each one more before anybody can use it."""
    for secret in _known:
        tell(secret)
    _told.append(tell)
    try:
        yield
    finally:
        _told.remove(tell)


def note_variable(name: str, text: str | None) -> None:
    """Mask the value of a variable whose name sounds secret, and the secret parts of one that is a JSON object."""
    if text is None:
        return
    document = _json_object(text)
    if document is not None:
        mask_secret(document, name if sounds_secret(name) else None)
    if sounds_secret(name):
        mask_secret(text)


def note_secret(text: str) -> None:
    """Mask what a secret backend holds: all of it, and where it is a JSON object every value in it."""
    mask_secret(text)
    mask_secret(_json_object(text) or {}, _SECRET)


def note_connection(password: str | None, extra: str | None) -> None:
    """Mask the password of a connection and what sounds secret in its extra."""
    if password:
        mask_secret(password)
    document = _json_object(extra or "")
    if document is not None:
        mask_secret(document)


def masked(text: str) -> str:
    """Return `text` with stars for every secret that is known."""
    # The longest first: a secret that contains another one must not leave its rest behind.
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def redacted(value: Any, name: str = "") -> Any:
    """Return a JSON value with stars for every secret that is known, and for whatever has a name that sounds secret."""
    if name and sounds_secret(name) and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return MASK if value != "" else value
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {redacted(key): redacted(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item, name) for item in value]
    return value


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, and as it looks within a URL, within JSON, and where Python shows it."""
    return {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
