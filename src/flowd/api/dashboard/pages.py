"""Pages: from a template to an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import flowd
from flowd.api.context import context_of
from flowd.api.dashboard.charts import longest, run_bars, tallest
from flowd.api.dashboard.preferences import THEMES, preferences_of, zone_options
from flowd.api.dashboard.site_map import places_for
from flowd.api.dashboard.words import FILTERS
from flowd.api.guard import may

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
    "deferred": "◐",
    "removed": "⌫",
    "restarting": "⟲",
}
"""State is colour, glyph and word, never colour alone."""

_NO_PAGES = ("/api/", "/auth/", "/webhooks/", "/static/", "/livez", "/readyz", "/metrics", "/openapi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page about an error says."""

    status: int
    detail: str


def make_templates() -> Environment:
    """Return the templates: everything is escaped, and a missing value is an error."""
    # Trusted text only ever comes from the templates themselves; values are escaped wherever they are from.
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    templates.filters |= FILTERS
    templates.tests["time"] = lambda value: isinstance(value, datetime)
    templates.globals |= {
        "glyphs": GLYPHS,
        "version": flowd.__version__,
        "zone_options": zone_options,
        "themes": THEMES,
    }
    templates.globals |= {"longest": longest, "tallest": tallest, "run_bars": run_bars}
    return templates


def is_page(request: Request) -> bool:
    """Return whether a person with a browser asked, not a client of the API."""
    return not request.url.path.startswith(_NO_PAGES)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return the page that `template` makes of `values`, for whoever is logged in."""
    return HTMLResponse(render_text(request, template, **values), status)


def render_text(request: Request, template: str, **values: Any) -> str:
    """Return the text that `template` makes of `values`."""
    templates: Environment = request.app.state.templates
    account = getattr(request.state, "account", None)
    who = {
        "account": account,
        "may": partial(may, account),
        "places": places_for(account),
        "csrf": getattr(request.state, "csrf_token", ""),
        "path": request.url.path,
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "preferences": preferences_of(request),
        "now": context_of(request).backends.clock.now(),
    }
    return templates.get_template(template).render(who | values)


def picture(request: Request, template: str, name: str, values: Mapping[str, Any]) -> Response:
    """Return the SVG that `template` makes as a file of this name, which is whole by itself: its colours are in it."""
    file = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)[:100]
    headers = {"Content-Disposition": f'attachment; filename="{file}.svg"'}
    return Response(render_text(request, template, **values), media_type="image/svg+xml", headers=headers)


def error_page(request: Request, page: Page, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return the page that says what went wrong, with `headers` that say what a client is to do about it."""
    title = HTTPStatus(page.status).phrase
    answer = render(request, "error.html", status=page.status, title=title, detail=page.detail)
    answer.headers.update(headers or {})
    return answer
