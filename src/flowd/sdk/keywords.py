"""Refusing keywords that nothing reads, with the nearest one that exists."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from flowd.domain.errors import InvalidDag


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known name most like `name`, an empty text where none is like it."""
    match = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {match[0]!r}?" if match else ""


def refuse_unknown(unknown: Mapping[str, Any], known: Iterable[str], *, where: str) -> None:
    """Raise InvalidDag naming the first unknown keyword and its nearest known one; do nothing where there is none."""
    for keyword in unknown:
        raise InvalidDag(f"{where}: unknown keyword {keyword!r}{nearest(keyword, known)}")
