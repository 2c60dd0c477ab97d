"""The table that people read. No figure stands in it without the limit beside it."""

from collections.abc import Mapping, Sequence

from bench.figure import Failure, Figure, Limit, Unit, compare

_STEPS = ("advance", "admit", "claim", "execute")
_SPACED = {Unit.MILLISECONDS, Unit.MEBIBYTES, Unit.PERCENT_OF_CORE}


def limits_table(limits: Mapping[str, Limit]) -> str:
    """Return what this machine can do."""
    rows = [
        ("limit of this machine", "median", "spread"),
        *((one.words, amount(one.value, one.unit), spread(one.values)) for one in limits.values()),
    ]
    return _aligned(rows)


def figures_table(figures: Sequence[Figure], limits: Mapping[str, Limit]) -> str:
    """Return what flowd does: a line for each figure and each limit beside it."""
    rows = [("scenario", "backend", "measured", "spread", "ratio", "to the limit")]
    for figure in figures:
        head = (figure.scenario, figure.backend, _measured(figure), spread(figure.values))
        for comparison in compare(figure, limits):
            bound = f"{amount(comparison.bound, figure.unit)}  {comparison.limit.words}"
            rows.append((*head, comparison.text, bound))
            head = ("", "", "", "")
    return _aligned(rows)


def details_table(figures: Sequence[Figure]) -> str:
    """Return where the time and the CPU of a task went, as medians in milliseconds; "" where no figure knows it."""
    rows: list[tuple[str, ...]] = [("ms a task", "backend", "CPU of nodes", "CPU of children", *_STEPS)]
    for figure in figures:
        if "step_ms" in figure.detail:
            cpu, steps = figure.detail["cpu_ms_per_task"], figure.detail["step_ms"]
            numbers = (cpu["nodes"], cpu["children"], *(steps.get(step) for step in _STEPS))
            shown = ("" if number is None else f"{number:,.2f}" for number in numbers)
            rows.append((figure.scenario, figure.backend, *shown))
    return _aligned(rows) if len(rows) > 1 else ""


def failures_table(failures: Sequence[Failure]) -> str:
    """Return what gave no figure, and why."""
    return "\n".join(f"FAILED  {one.scenario} on {one.backend}: {one.reason}" for one in failures)


def amount(value: float, unit: Unit) -> str:
    """Return the value with its unit, in three digits or whole."""
    digits = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{digits}{' ' if unit in _SPACED else ''}{unit}"


def spread(values: Sequence[float]) -> str:
    """Return the least and the most of several values; nothing of one."""
    if len(values) < 2:
        return ""
    low, high = (f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in (min(values), max(values)))
    return f"{low} to {high}"


def _measured(figure: Figure) -> str:
    return f"{amount(figure.value, figure.unit)}  {figure.words}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
