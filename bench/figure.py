"""Limits and figures: what the machine can do at best, what flowd does, and the ratio of the two."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Any


class Unit(StrEnum):
    """What a number counts. Rates are better high, all others better low."""

    PER_SECOND = "/s"
    MILLISECONDS = "ms"
    MEBIBYTES = "MiB"
    PERCENT_OF_CORE = "% of a core"
    TIMES = "x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that this machine does without flowd. `words` says what one of it is: `bash spawn, 8 in flight`."""

    name: str
    words: str
    unit: Unit
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    def in_unit(self, unit: Unit) -> float:
        """Return the limit in `unit`; a rate is also the milliseconds of one. Raise ValueError for other pairs."""
        if unit is self.unit:
            return self.value
        if {unit, self.unit} == {Unit.PER_SECOND, Unit.MILLISECONDS}:
            return 1000.0 / self.value
        raise ValueError(f"the limit {self.name} is in {self.unit}; it cannot be compared with a figure in {unit}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured of a scenario on a backend: the `quantile` of `values`, and which limits stand beside it.

    `metric` names it among the figures of its scenario, and `method` says how it was measured. `beside` are limits
    that are shown only where this bench measured them, as those of another system are.
    """

    scenario: str
    metric: str
    backend: str
    words: str
    method: str
    unit: Unit
    values: tuple[float, ...]
    against: tuple[str, ...]
    beside: tuple[str, ...] = ()
    quantile: float = 0.5
    detail: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.against:
            raise ValueError(f"{self.scenario} on {self.backend}, {self.words}: no limit to compare it with")

    @property
    def value(self) -> float:
        """The median, or the nearest-rank quantile."""
        return median(self.values) if self.quantile == 0.5 else nearest_rank(self.values, self.quantile)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it comparable with a figure of another bench: scenario, metric, backend."""
        return self.scenario, self.metric, self.backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A figure beside one limit, in the figure's unit."""

    limit: Limit
    bound: float
    ratio: float
    is_share: bool

    @property
    def text(self) -> str:
        """The ratio: `41 %` of what cannot be passed, `12.3 x` a cost that cannot be undercut."""
        return f"{self.ratio * 100:.3g} %" if self.is_share else f"{self.ratio:.1f} x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A scenario that gave no figure, and why."""

    scenario: str
    backend: str
    reason: str


def compare(figure: Figure, limits: Mapping[str, Limit]) -> list[Comparison]:
    """Return the figure beside each of its limits; raise KeyError where one of `against` was not measured."""
    names = (*figure.against, *(name for name in figure.beside if name in limits))
    return [_comparison(figure, limits[name]) for name in names]


def nearest_rank(values: Sequence[float], quantile: float) -> float:
    """Return the smallest of the values that at least `quantile` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(quantile * len(values)) - 1)]


def _comparison(figure: Figure, limit: Limit) -> Comparison:
    bound = limit.in_unit(figure.unit)
    is_share = figure.unit in (Unit.PER_SECOND, Unit.PERCENT_OF_CORE)
    return Comparison(limit=limit, bound=bound, ratio=figure.value / bound, is_share=is_share)
