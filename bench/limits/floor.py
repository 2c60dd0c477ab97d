"""Floors: the least that a durable hop can cost here, put together from limits measured alone."""

from collections.abc import Mapping

from bench.figure import Limit, Unit

COMMITS = 3
"""Queued, claimed, finished: what must be on disk before the next step may be taken."""


def floors(limits: Mapping[str, Limit], backend: str) -> list[Limit]:
    """Return what a Python hop and a bash hop cost at least on the backend."""
    return [
        _floor(limits, backend, f"hop.{backend}", "fork_alone", "a warm fork"),
        _floor(limits, backend, f"first.{backend}", "spawn_alone", "a bash spawn"),
    ]


def _floor(limits: Mapping[str, Limit], backend: str, name: str, start: str, words: str) -> Limit:
    milliseconds = limits[start].in_unit(Unit.MILLISECONDS)
    milliseconds += COMMITS * limits[f"commit.{backend}"].in_unit(Unit.MILLISECONDS)
    words = f"floor of a hop: {words} + {COMMITS} commits"
    if backend == "postgres":
        milliseconds += limits["broker"].value
        words += " + a broker round trip"
    return Limit(name=name, words=words, unit=Unit.MILLISECONDS, values=(milliseconds,))
