"""Changes: two records side by side, for the message of a commit."""

from collections.abc import Mapping

from bench.amount import amount
from bench.figure import Figure, Limit, compare
from bench.record import Record
from bench.text_table import Row


def changes_rows(before: Record, after: Record) -> list[Row]:
    """Return each figure that both have, with the change of its value, and of its ratio to the machine's limit.

    The second is what counts where the machine was not equally busy both times.
    """
    rows: list[Row] = [("scenario", "metric", "backend", "before", "after", "change", "to the limit", "CPU a task")]
    earlier = {figure.key: figure for figure in before.figures}
    for now in after.figures:
        then = earlier.get(now.key)
        if then is not None and then.unit is now.unit:
            rows.append(
                (
                    now.scenario,
                    now.metric,
                    now.backend,
                    amount(then.value, then.unit),
                    amount(now.value, now.unit),
                    _times(now.value, then.value),
                    _times(_ratio(now, after.limits), _ratio(then, before.limits)),
                    _times(_cpu(now), _cpu(then)),
                )
            )
    return rows


def _ratio(figure: Figure, limits: Mapping[str, Limit]) -> float:
    return compare(figure, limits)[0].ratio


def _cpu(figure: Figure) -> float:
    """Return the CPU of a task but for the broker's, which is that of all its users; 0 where it was not measured."""
    parts = figure.detail.get("cpu_ms_per_task", {})
    return float(sum(used for part, used in parts.items() if part != "broker"))


def _times(after: float, before: float) -> str:
    return f"x {after / before:.2f}" if before else ""
