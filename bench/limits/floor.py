"""Floors: the least that a durable hop can cost here, put together from limits measured alone."""

from collections.abc import Mapping

from bench.cluster.backend import Backend, Broker
from bench.figure import Limit, Unit

COMMITS = 3
"""Queued, claimed, finished: what must be on disk before the next step may be taken."""


def floors(limits: Mapping[str, Limit], backend: Backend) -> list[Limit]:
    """Return what a Python hop and a bash hop cost at least on the backend."""
    return [
        _floor(limits, backend, f"hop.{backend}", "fork_alone", "a warm fork"),
        _floor(limits, backend, f"first.{backend}", "spawn_alone", "a bash spawn"),
    ]


def _floor(limits: Mapping[str, Limit], backend: Backend, name: str, start: str, words: str) -> Limit:
    milliseconds = limits[start].in_unit(Unit.MILLISECONDS)
    milliseconds += COMMITS * limits[f"commit.{backend.metastore}"].in_unit(Unit.MILLISECONDS)
    words = f"floor of a hop: {words} + {COMMITS} commits"
    if backend.broker is not Broker.DATABASE:
        milliseconds += limits[f"broker.{backend.broker}"].value
        words += " + a broker round trip"
    return Limit(name=name, words=words, unit=Unit.MILLISECONDS, values=(milliseconds,))
