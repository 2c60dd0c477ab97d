"""The log line that shows what a task has returned."""

from logging import Logger
from typing import Any

MOST_CHARACTERS = 10_000


def log_returned(log: Logger, value: Any) -> None:
    """Write the value to the log, of a long one its beginning and how long it is."""
    text = str(value)
    if len(text) <= MOST_CHARACTERS:
        log.info("Done. Returned value was: %s", text)
    else:
        log.info("Done. Returned value was: %s… (%s characters in all)", text[:MOST_CHARACTERS], f"{len(text):,}")
