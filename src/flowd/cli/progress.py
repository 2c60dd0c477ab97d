"""progress: how far long work is, on a terminal; elsewhere nothing is said."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")

FEW = 3
"""Work in so many parts is over before anybody looks."""


def progress(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Iterate over the items, with a bar on stderr where they are more than a few and a person looks."""
    if len(items) <= FEW or not sys.stderr.isatty():
        yield from items
        return
    with progress_bar() as bar:
        yield from bar.track(items, description=what)


@contextmanager
def progress_bar() -> "Iterator[Progress]":
    """A bar on stderr that is gone when it is done. Where nobody looks, it draws nothing."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        yield bar
