"""The tracer that the settings name, with nothing loaded where they name no collector."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flowd.domain.errors import InvalidSettings
from flowd.settings.tracing import TracingSettings

if TYPE_CHECKING:
    from flowd.tracing import Tracer


@asynccontextmanager
async def open_tracer(settings: TracingSettings, node: str) -> "AsyncIterator[Tracer | None]":
    """Trace for the time of the context; None where no collector is named.

    Raises InvalidSettings where a package is missing.
    """
    if not settings.endpoint:
        yield None
        return
    try:
        from flowd.tracing import Collector, tracing  # OpenTelemetry, which only traces need
    except ModuleNotFoundError as error:
        raise InvalidSettings(
            f"tracing.endpoint is {settings.endpoint}, and {error.name} is not installed; pip install 'flowd[tracing]'"
        ) from error
    collector = Collector(
        endpoint=settings.endpoint,
        headers=settings.header_fields,
        service=settings.service,
        sample=settings.sample,
    )
    async with tracing(collector, node) as tracer:
        yield tracer
