"""The node's own log: one line an event on stderr, for people on a terminal and as JSON elsewhere, without secrets."""

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO
from urllib.parse import quote

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

SHORTEST_SECRET = 4
"""Shorter ones are not masked: every second word would be."""

MASK = "***"
QUIET = (
    "aiosqlite",
    "alembic",
    "asyncio",
    "httpx",
    "httpcore",
    "watchfiles",
    "apscheduler",
    "sqlalchemy",
)
SILENT = ("aio_pika", "aiormq")
"""They log a traceback for every connection that is lost; the queue says the same in a line."""

SERVER = ("uvicorn", "uvicorn.error", "uvicorn.access")
"""They say at their start what the node says itself; below a warning they are not heard."""


class SecretMask:
    """A processor that replaces every registered secret, as it is or URL-encoded, in all that an event holds."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Mask these from now on."""
        spelt = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
        fitting = {form for form in spelt if len(form) >= SHORTEST_SECRET}
        # The longest first: a secret that contains another one must not leave its rest behind.
        self._secrets = sorted(fitting.union(self._secrets), key=len, reverse=True)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the event without the secrets."""
        return {self._masked(key): self._masked(value) for key, value in event.items()}

    def _masked(self, value: Any) -> Any:
        match value:
            case str():
                for secret in self._secrets:
                    value = value.replace(secret, MASK)
                return value
            case dict():
                return {self._masked(key): self._masked(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._masked(item) for item in value]
            case None | bool() | int() | float():
                return value
            case _:
                return self._masked(str(value))


def configure_logging(
    *, level: str, style: str, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> SecretMask:
    """Send every log of this process, structlog's, the standard library's and uvicorn's, to `stream` (stderr).

    `style` is console, json, or auto: console where the stream is a terminal. Returns the mask, to add secrets to.
    """
    handler = _StderrHandler() if stream is None else logging.StreamHandler(stream)
    stream = stream or sys.stderr
    is_console = style == "console" or (style == "auto" and stream.isatty())
    mask = SecretMask(secrets)
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *before],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ending(mask, is_console, stream)],
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    _route(handler, level.upper())
    return mask


class _StderrHandler(logging.Handler):
    """Writes to what sys.stderr is at that moment: the one of long ago may be closed by now."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; what cannot be written is nobody's to hear of."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)


def _ending(mask: SecretMask, is_console: bool, stream: TextIO) -> list[Processor]:
    """From an event to a line. The traceback becomes text first: it too may hold a secret."""
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if is_console
        else structlog.processors.JSONRenderer(default=str)
    )
    return [structlog.processors.format_exc_info, mask, _on_one_line, render]


def _on_one_line(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A line break in an event must not look like a second event."""
    event["event"] = str(event.get("event", "")).replace("\r", "\\r").replace("\n", "\\n")
    return event


def _route(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in SERVER:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(max(root.level, logging.WARNING))
        logger.propagate = True
