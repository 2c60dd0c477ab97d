"""Preferences: how a person wants pages to look, kept in cookies of their browser: the theme and the time zone."""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from flowd.api.context import Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.local_path import local_path
from flowd.domain.errors import InvalidInput

router = APIRouter(route_class=PageRoute, include_in_schema=False)

THEME_COOKIE = "flowd_theme"
ZONE_COOKIE = "flowd_zone"
THEMES = ("system", "light", "dark")
YEAR_SECONDS = 365 * 24 * 3600
UTC_NAME = "UTC"


@dataclass(frozen=True, slots=True)
class Preferences:
    """The theme, and the IANA name of the zone in which moments are shown."""

    theme: str = THEMES[0]
    zone_name: str = UTC_NAME

    @property
    def zone(self) -> ZoneInfo:
        """The zone."""
        return _zone(self.zone_name)


def preferences_of(request: Request) -> Preferences:
    """Return what the cookies say; what they cannot mean is as if it were not said."""
    theme = request.cookies.get(THEME_COOKIE, THEMES[0])
    zone = request.cookies.get(ZONE_COOKIE, UTC_NAME)
    return Preferences(theme if theme in THEMES else THEMES[0], zone if zone in zone_names() else UTC_NAME)


@cache
def zone_names() -> tuple[str, ...]:
    """Return the names of all zones, in order."""
    return tuple(sorted(name for name in available_timezones() if "/" in name or name == UTC_NAME))


@lru_cache(maxsize=64)
def zone_options(chosen: str) -> Markup:
    """Return the options of a choice of zones: hundreds, and the same on every page."""
    marked = Markup(" selected")
    return Markup("").join(
        Markup("<option{}>{}</option>").format(marked if name == chosen else "", name) for name in zone_names()
    )


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@router.post("/preferences")
async def prefer(
    request: Request,
    context: Context,
    theme: Annotated[str, Form()] = "",
    zone: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Keep what was chosen, and return to the page it was chosen on."""
    if theme and theme not in THEMES:
        raise InvalidInput(f"there is no theme {theme!r}; wanted {', '.join(THEMES)}")
    if zone and zone not in zone_names():
        raise InvalidInput(f"there is no time zone {zone!r}; wanted a name as Europe/Berlin, or UTC")
    response = RedirectResponse(local_path(back), 303)
    is_https = request.url.scheme == "https" or context.settings.api.url.startswith("https://")
    for cookie, value in ((THEME_COOKIE, theme), (ZONE_COOKIE, zone)):
        if value:
            response.set_cookie(cookie, value, max_age=YEAR_SECONDS, httponly=True, samesite="lax", secure=is_https)
    return response
