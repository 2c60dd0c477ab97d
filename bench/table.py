"""The tables that people read. No figure stands in one without the limit beside it, and its target where it has one."""

from collections.abc import Mapping, Sequence

from bench.amount import amount, spread
from bench.figure import Failure, Figure, Limit, compare
from bench.target import Target, Verdict, verdicts
from bench.text_table import Row, aligned

_STEPS = ("advance", "admit", "claim", "execute")
_PARTS = ("node", "keeper", "children", "database", "broker")


def limits_rows(limits: Mapping[str, Limit]) -> list[Row]:
    """Return what this machine can do."""
    return [
        ("name", "limit of this machine", "median", "spread"),
        *((one.name, one.words, amount(one.value, one.unit), spread(one.values)) for one in limits.values()),
    ]


def figures_rows(figures: Sequence[Figure], limits: Mapping[str, Limit], targets: Sequence[Target]) -> list[Row]:
    """Return what flowd does: a line for each figure, and one more for each further limit or target beside it."""
    rows: list[Row] = [("scenario", "backend", "measured", "spread", "ratio", "to the limit", "target", "", "method")]
    for figure in figures:
        comparisons = [
            (one.text, f"{amount(one.bound, figure.unit)}  {one.limit.words}") for one in compare(figure, limits)
        ]
        wanted = [(one.text, _reached(one)) for one in verdicts(figure, limits, targets)]
        head: tuple[str, ...] = (
            figure.scenario,
            figure.backend,
            f"{amount(figure.value, figure.unit)}  {figure.words}",
            spread(figure.values),
        )
        method = figure.method
        for index in range(max(len(comparisons), len(wanted))):
            ratio = comparisons[index] if index < len(comparisons) else ("", "")
            target = wanted[index] if index < len(wanted) else ("", "")
            rows.append((*head, *ratio, *target, method))
            head, method = ("", "", "", ""), ""
    return rows


def details_rows(figures: Sequence[Figure]) -> list[Row]:
    """Return where the CPU and the time of a task went, as medians in milliseconds; only a head where none knows."""
    rows: list[Row] = [("ms a task", "of", "backend", *(f"CPU {part}" for part in _PARTS), *_STEPS)]
    for figure in figures:
        if "step_ms" in figure.detail:
            cpu, steps = figure.detail["cpu_ms_per_task"], figure.detail["step_ms"]
            numbers = (*(cpu.get(part) for part in _PARTS), *(steps.get(step) for step in _STEPS))
            shown = ("" if number is None else f"{number:,.2f}" for number in numbers)
            rows.append((figure.scenario, figure.metric, figure.backend, *shown))
    return rows


def parts_rows(figures: Sequence[Figure]) -> list[Row]:
    """Return how idleness is shared out between the processes; only a head where none knows."""
    rows: list[Row] = [("idle", "backend", "", "node", "keeper", "children")]
    for figure in figures:
        if "parts" in figure.detail:
            parts = (f"{figure.detail['parts'].get(part, 0.0):.3g}" for part in ("node", "keeper", "children"))
            rows.append((figure.scenario, figure.backend, figure.unit, *parts))
    return rows


def summary(figures: Sequence[Figure], limits: Mapping[str, Limit], targets: Sequence[Target]) -> str:
    """Return how many targets were reached; "" where none was measured."""
    found = [one for figure in figures for one in verdicts(figure, limits, targets)]
    reached = sum(one.is_reached for one in found)
    return f"{reached} of {len(found)} targets reached" if found else ""


def failures_table(failures: Sequence[Failure]) -> str:
    """Return what gave no figure, and why."""
    return "\n".join(f"FAILED  {one.scenario} on {one.backend}: {one.reason}" for one in failures)


def tables(*all_rows: Sequence[Row]) -> str:
    """Return the tables that have more than a head, aligned, with an empty line between them."""
    return "\n\n".join(aligned(rows) for rows in all_rows if len(rows) > 1)


def _reached(verdict: Verdict) -> str:
    return "reached" if verdict.is_reached else "NOT REACHED"
