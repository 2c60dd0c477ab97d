"""The page of settings: what this node is told, and from where; secrets are hidden."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flowd.api.context import Context
from flowd.api.dashboard.guard import PageRoute
from flowd.api.dashboard.pages import render
from flowd.settings.catalogue import SettingInfo, catalogue, shown

router = APIRouter(prefix="/config", route_class=PageRoute, include_in_schema=False)

DEFAULT = "default"
CHOICES = ("all", "set")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting, its value as text with secrets hidden, and where that came from."""

    info: SettingInfo
    value: str
    source: str


@router.get("")
async def config_page(request: Request, context: Context, q: str = "", show: str = "all") -> Response:
    """Show the settings of this node by section."""
    sources = context.settings.sources()
    settings = [
        Setting(info, shown(context.settings, name), sources[name])
        for name, info in catalogue().items()
        if q.lower() in f"{name} {info.variable} {info.description}".lower()
    ]
    if show == "set":
        settings = [one for one in settings if one.source != DEFAULT]
    sections: dict[str, list[Setting]] = {}
    for one in settings:
        sections.setdefault(one.info.section, []).append(one)
    return render(
        request,
        "config.html",
        sections=sections,
        total=len(settings),
        q=q,
        show=show if show in CHOICES else CHOICES[0],
        choices=CHOICES,
        default=DEFAULT,
    )
