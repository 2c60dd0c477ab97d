"""SecretLookup: the configured backends in their order, then this node's environment; the metastore comes after."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from flowd.clock import Clock, SystemClock
from flowd.domain.secret_names import CONNECTION_PREFIXES, VARIABLE_PREFIXES
from flowd.secret_backends.base import SecretBackend

MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What was found. `is_secret` is True for all that comes from a backend: it is masked whatever its name is."""

    text: str
    is_secret: bool


class SecretLookup:
    """What was found, or not found, is kept for `kept_for`; failures are not. Many may ask at once."""

    def __init__(
        self, backends: Sequence[SecretBackend], environ: Mapping[str, str], clock: Clock, kept_for: timedelta
    ) -> None:
        self._backends = backends
        self._environ = environ
        self._clock = clock
        self._kept_seconds = kept_for.total_seconds()
        self._kept: OrderedDict[tuple[str, str], tuple[float, str | None]] = OrderedDict()
        self._under_way: dict[tuple[str, str], asyncio.Lock] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open every backend for the time of the context; raise InvalidSettings where one cannot ever answer."""
        async with AsyncExitStack() as stack:
            for backend in self._backends:
                await stack.enter_async_context(backend.open())
            yield

    async def variable(self, key: str, *, is_in_environment: bool = False) -> Found | None:
        """Return a variable, None where neither a backend nor the environment has it; raise SecretsUnavailable.

        Who asks and has it in an environment of their own is told of backends alone.
        """
        ask = [backend.variable for backend in self._backends]
        return await self._found("variable", key, ask, () if is_in_environment else VARIABLE_PREFIXES)

    async def connection(self, conn_id: str, *, is_in_environment: bool = False) -> Found | None:
        """Return a connection as a URI or a JSON object, as `variable` does."""
        ask = [backend.connection for backend in self._backends]
        return await self._found("connection", conn_id, ask, () if is_in_environment else CONNECTION_PREFIXES)

    async def _found(
        self, noun: str, name: str, ask: Sequence[Callable[[str], Awaitable[str | None]]], prefixes: Sequence[str]
    ) -> Found | None:
        text = await self._of_backends((noun, name), ask) if ask else None
        if text is not None:
            return Found(text, is_secret=True)
        for prefix in prefixes:
            if (text := self._environ.get(prefix + name.upper())) is not None:
                return Found(text, is_secret=False)
        return None

    async def _of_backends(
        self, thing: tuple[str, str], ask: Sequence[Callable[[str], Awaitable[str | None]]]
    ) -> str | None:
        # Of many tasks that start at once and want the same, one asks and the others wait for its answer.
        lock = self._under_way.setdefault(thing, asyncio.Lock())
        try:
            async with lock:
                kept = self._kept.get(thing)
                if kept is not None and self._clock.monotonic() < kept[0]:
                    return kept[1]
                text = await _first(thing[1], ask)
                self._keep(thing, text)
                return text
        finally:
            if not lock.locked():
                self._under_way.pop(thing, None)

    def _keep(self, thing: tuple[str, str], text: str | None) -> None:
        if not self._kept_seconds:
            return
        self._kept.pop(thing, None)
        self._kept[thing] = (self._clock.monotonic() + self._kept_seconds, text)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def metastore_alone() -> SecretLookup:
    """Return a lookup that finds nothing: all is left to the metastore."""
    return SecretLookup((), {}, SystemClock(), timedelta())


async def _first(name: str, ask: Sequence[Callable[[str], Awaitable[str | None]]]) -> str | None:
    for one in ask:
        if (text := await one(name)) is not None:
            return text
    return None
