"""Amounts in words: a number with its unit, in as many digits as it is worth."""

from collections.abc import Sequence

from bench.figure import Unit

_SPACED = {Unit.MILLISECONDS, Unit.MEBIBYTES, Unit.PERCENT_OF_CORE, Unit.TIMES}


def amount(value: float, unit: Unit) -> str:
    """Return the value with its unit, in three digits or whole."""
    return f"{number(value)}{' ' if unit in _SPACED else ''}{unit}"


def spread(values: Sequence[float]) -> str:
    """Return the least and the most of several values; nothing of one."""
    if len(values) < 2:
        return ""
    return f"{number(min(values))} to {number(max(values))}"


def number(value: float) -> str:
    """Return the value in three digits or whole."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
