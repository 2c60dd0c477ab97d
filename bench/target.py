"""Targets: what a figure is to reach, as a share of a limit of the same run or as an amount, and whether it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.amount import amount
from bench.figure import Figure, Limit


@dataclass(frozen=True, slots=True)
class AtLeastShare:
    """At least this share of the limit called `limit`."""

    share: float
    limit: str

    def bound(self, figure: Figure, limits: Mapping[str, Limit]) -> float:
        """Return it in the figure's unit."""
        return self.share * limits[self.limit].in_unit(figure.unit)

    def is_reached(self, figure: Figure, limits: Mapping[str, Limit]) -> bool:
        """Say whether the figure is as high as that."""
        return figure.value >= self.bound(figure, limits)

    def text(self, figure: Figure, limits: Mapping[str, Limit]) -> str:
        """Return it in words."""
        return f">= {self.share * 100:g} % of {self.limit} ({amount(self.bound(figure, limits), figure.unit)})"


@dataclass(frozen=True, slots=True)
class AtMost:
    """At most so many of the figure's own unit."""

    most: float

    def is_reached(self, figure: Figure, limits: Mapping[str, Limit]) -> bool:
        """Say whether the figure is as low as that."""
        return figure.value <= self.most

    def text(self, figure: Figure, limits: Mapping[str, Limit]) -> str:
        """Return it in words."""
        return f"<= {amount(self.most, figure.unit)}"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least so many of the figure's own unit."""

    least: float

    def is_reached(self, figure: Figure, limits: Mapping[str, Limit]) -> bool:
        """Say whether the figure is as high as that."""
        return figure.value >= self.least

    def text(self, figure: Figure, limits: Mapping[str, Limit]) -> str:
        """Return it in words."""
        return f">= {amount(self.least, figure.unit)}"


Bar = AtLeastShare | AtMost | AtLeast


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the figure `metric` of a scenario is to reach on the backends; on every one where there are none."""

    scenario: str
    metric: str
    bar: Bar
    backends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One target of a figure, in words, and whether it was reached."""

    text: str
    is_reached: bool


def verdicts(figure: Figure, limits: Mapping[str, Limit], targets: Sequence[Target]) -> list[Verdict]:
    """Return a verdict for each target that the figure has; none where nothing was promised of it."""
    return [
        Verdict(text=one.bar.text(figure, limits), is_reached=one.bar.is_reached(figure, limits))
        for one in targets
        if (one.scenario, one.metric) == (figure.scenario, figure.metric)
        and (not one.backends or figure.backend in one.backends)
    ]
