"""Charts: the numbers that those in `charts.html` are drawn to scale by; and the bars, of which a page has hundreds."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from flowd.api.dashboard.words import moment_text, seconds, segment
from flowd.db.views.recent import RecentRun


def longest(runs: Iterable[RecentRun], now: datetime) -> float:
    """Return the duration of the longest run in seconds, by now; 0 where none has started."""
    return max((run.duration_seconds(now) or 0.0 for run in runs), default=0.0)


def tallest(parts: Iterable[Mapping[object, int]]) -> int:
    """Return the largest total of a part, 1 at the least."""
    return max((sum(part.values()) for part in parts), default=0) or 1


_BAR_WIDTH, _BARS_HEIGHT = 9, 24


@pass_context
def run_bars(context: Context, runs: Sequence[RecentRun]) -> Markup:
    """Draw a DAG's runs, which come latest first, as bars of their durations, the latest last."""
    now = context["now"]
    most, root = longest(runs, now), f"/dags/{segment(runs[0].dag_id)}/runs/" if runs else ""
    bars = "".join(_bar(context, run, root, now, most, place) for place, run in enumerate(reversed(runs)))
    return Markup(
        f'<svg class="bars" width="{len(runs) * _BAR_WIDTH}" height="{_BARS_HEIGHT}" role="group"'
        f' aria-label="the last {len(runs)} runs, the latest last">{bars}</svg>'
    )


def _bar(context: Context, run: RecentRun, root: str, now: datetime, most: float, place: int) -> str:
    """Return a bar as HTML. Of all that is in it only the run's id can have letters that mean something there."""
    took, state, left = run.duration_seconds(now), run.state.value, place * _BAR_WIDTH
    tall = max(3, round((_BARS_HEIGHT - 2) * took / most)) if took is not None and most else 3
    top = _BARS_HEIGHT - 1 - tall
    return (
        f'<a href="{root}{segment(run.run_id)}" aria-label="{state}, {moment_text(context, run.run_after)}">'
        f"<title>{escape(run.run_id)}: {state}, {seconds(took)}</title>"
        f'<rect class="spot" x="{left}" y="0" width="{_BAR_WIDTH}" height="{_BARS_HEIGHT}"/>'
        f'<rect class="fill {state}" x="{left + 1}" y="{top}" width="7" height="{tall}" rx="1"/></a>'
    )
