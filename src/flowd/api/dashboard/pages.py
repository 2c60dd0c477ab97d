"""Pages: from a template to an answer."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import flowd

PACKAGE = Path(flowd.__file__).parent
STATIC = PACKAGE / "static"
TEMPLATES = PACKAGE / "templates"

GLYPHS = {
    "none": "○",
    "scheduled": "◷",
    "queued": "◔",
    "running": "▶",
    "success": "✓",
    "failed": "✗",
    "skipped": "»",
    "upstream_failed": "⇡",
    "up_for_retry": "↻",
    "up_for_reschedule": "⟳",
    "deferred": "⧗",
    "removed": "⌫",
    "restarting": "⟲",
}
"""State is colour, glyph and word, never colour alone."""

_PAGE_PATHS = ("/login", "/logout", "/dags")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page about an error says."""

    status: int
    detail: str


def make_templates() -> Environment:
    """Return the templates: everything is escaped, and a missing value is an error."""
    # Trusted text only ever comes from the templates themselves; values are escaped wherever they are from.
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    templates.filters |= {"moment": _moment, "seconds": _seconds, "segment": _segment}
    templates.globals |= {"glyphs": GLYPHS, "version": flowd.__version__}
    return templates


def is_page(request: Request) -> bool:
    """Return whether a person with a browser asked, not a client of the API."""
    path = request.url.path
    return path == "/" or path.startswith(_PAGE_PATHS)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return the page that `template` makes of `values`, for whoever is logged in."""
    templates: Environment = request.app.state.templates
    who = {
        "account": getattr(request.state, "account", None),
        "csrf": getattr(request.state, "csrf_token", ""),
        "path": request.url.path,
    }
    return HTMLResponse(templates.get_template(template).render(who | values), status)


def error_page(request: Request, page: Page) -> HTMLResponse:
    """Return the page that says what went wrong."""
    title = HTTPStatus(page.status).phrase
    return render(request, "error.html", status=page.status, title=title, detail=page.detail)


def _moment(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else "–"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _segment(name: str) -> str:
    """The name as one segment of a path."""
    return quote(name, safe="")
