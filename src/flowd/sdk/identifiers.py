"""What may name a DAG, a task or a group."""

import re

from flowd.domain.errors import InvalidDag

MAX_LENGTH = 250

_ALLOWED = re.compile(r"[\w.-]+")


def check_identifier(name: object, *, what: str) -> str:
    """Return `name` where it may be stored and shown as an id; raise InvalidDag otherwise."""
    if not isinstance(name, str):
        raise InvalidDag(f"{what} {name!r} is a {type(name).__name__}, wanted text")
    if len(name) > MAX_LENGTH:
        raise InvalidDag(f"{what} {name[:40]!r}… has {len(name)} characters, wanted at most {MAX_LENGTH}")
    if not _ALLOWED.fullmatch(name):
        raise InvalidDag(f"{what} {name!r}: wanted only letters, digits, dashes, dots and underscores")
    # A member of a StrEnum is text too; what is stored and shown is its plain form.
    return str.__str__(name)
