"""`airflow.utils.log.logging_mixin`."""

import logging
import re

_COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class LoggingMixin:
    """Gives a class a `log` of its own name, or of the `logger_name` it was made with."""

    _logger_name: str | None = None

    @property
    def log(self) -> logging.Logger:
        """The logger; what it says is in the task's log."""
        return logging.getLogger(self._logger_name or f"{type(self).__module__}.{type(self).__qualname__}")

    logger = log


def remove_escape_codes(text: str) -> str:
    """Return `text` without what colours it on a terminal."""
    return _COLOURS.sub("", text)
