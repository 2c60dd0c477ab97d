"""Words: how templates write moments, durations, sizes and names, each in the way of whoever looks."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from flowd.api.dashboard.ansi import ansi

NOTHING = "–"
_LONG = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@pass_context
def moment(context: Context, at: datetime | None) -> Markup | str:
    """Write a moment in the reader's time zone, with the exact one for machines and on hovering."""
    if at is None:
        return NOTHING
    exact = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(exact, moment_text(context, at))


@pass_context
def moment_text(context: Context, at: datetime | None) -> str:
    """Write a moment as text alone."""
    return at.astimezone(context["preferences"].zone).strftime("%Y-%m-%d %H:%M:%S") if at else NOTHING


@pass_context
def away(context: Context, at: datetime | None) -> Markup | str:
    """Write how far a moment is from now, as `in 5 min` or `3 h ago`, with the moment itself on hovering."""
    if at is None:
        return NOTHING
    exact = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = away_text((at - context["now"]).total_seconds())
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, moment_text(context, at), text)


def away_text(seconds_ahead: float) -> str:
    """Return in words how far ahead, or where negative how long ago."""
    if abs(seconds_ahead) < 1:
        return "now"
    words = _roughly(abs(seconds_ahead))
    return f"in {words}" if seconds_ahead > 0 else f"{words} ago"


def seconds(number: float | timedelta | None) -> str:
    """Write a duration in its two largest units."""
    if number is None:
        return NOTHING
    total = number.total_seconds() if isinstance(number, timedelta) else number
    if total < 60:
        return f"{total:.1f} s"
    minutes, rest = divmod(round(total), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(number: int | None) -> str:
    """Write a number of bytes."""
    if number is None:
        return NOTHING
    amount, units = float(number), iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while amount >= 1024 and unit != "TiB":
        amount, unit = amount / 1024, next(units)
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def number(value: int) -> str:
    """Write a count so that it can be read: 1,234,567."""
    return f"{value:,}"


def plural(count: int, word: str, words: str | None = None) -> str:
    """Write a count with its word, in the plural where it wants that."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def segment(name: str) -> str:
    """Write a name as one segment of a path."""
    return quote(name, safe="")


def json_text(value: Any) -> str:
    """Write a value as JSON, so that it is escaped as all text is."""
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, ensure_ascii=False)


def breakable(name: str) -> Markup:
    """Write a long name so that a narrow column may break it at its joints."""
    return Markup(str(escape(name)).replace("_", "_<wbr>").replace(".", ".<wbr>"))


def _roughly(total: float) -> str:
    for unit, length in _LONG:
        if total >= length:
            return f"{int(total // length)} {unit}"
    return "1 s"


FILTERS: dict[str, Callable[..., Any]] = {
    "ansi": ansi,
    "moment": moment,
    "moment_text": moment_text,
    "away": away,
    "seconds": seconds,
    "size": size,
    "number": number,
    "plural": plural,
    "segment": segment,
    "breakable": breakable,
    "json_text": json_text,
}
