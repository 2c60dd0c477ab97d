"""Figures and limits of a bench, with only what a test looks at given."""

from collections.abc import Mapping

from bench.figure import Figure, Limit, Unit

SPAWN = Limit(name="spawn", words="raw spawn", unit=Unit.PER_SECOND, values=(900.0, 1000.0, 1200.0))
COMMIT = Limit(name="commit.sqlite", words="raw commit", unit=Unit.PER_SECOND, values=(500.0,))
CORE = Limit(name="core", words="one core", unit=Unit.PERCENT_OF_CORE, values=(100.0,))
LIMITS: Mapping[str, Limit] = {limit.name: limit for limit in (SPAWN, COMMIT, CORE)}


def a_figure(
    unit: Unit,
    *values: float,
    against: tuple[str, ...] = ("spawn",),
    beside: tuple[str, ...] = (),
    quantile: float = 0.5,
    scenario: str = "fan",
    metric: str = "rate",
    backend: str = "sqlite",
    **detail: object,
) -> Figure:
    """Return a figure of `values`."""
    return Figure(
        scenario=scenario,
        metric=metric,
        backend=backend,
        words="tasks",
        method="once",
        unit=unit,
        values=values,
        against=against,
        beside=beside,
        quantile=quantile,
        detail=detail,
    )
