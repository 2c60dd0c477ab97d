"""`airflow.utils.log.logging_mixin`."""

import logging


class LoggingMixin:
    """Gives a class a `log` of its own name."""

    @property
    def log(self) -> logging.Logger:
        """The logger; what it says is in the task's log."""
        return logging.getLogger(f"{type(self).__module__}.{type(self).__qualname__}")
