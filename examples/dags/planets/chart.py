"""The solar system of one day as an SVG that needs nothing else."""

from collections.abc import Mapping, Sequence
from html import escape
from math import hypot, log10

SIZE = 640
WIDTH = SIZE + 450
CENTRE = SIZE / 2
LEGEND = SIZE + 60
INNERMOST_AU, OUTERMOST_AU = 0.3, 31.0
COLOURS = {
    "Mercury": "#9c9289", "Venus": "#d8a13a", "Earth": "#2f7fd6", "Mars": "#c2552d",
    "Jupiter": "#b98a5e", "Saturn": "#c9a94f", "Uranus": "#3fa7a3", "Neptune": "#4a5fd0",
}  # fmt: skip


def draw(day: str, planets: Sequence[Mapping[str, float | str]], quarantined: int) -> str:
    """Return the chart. Each planet has planet, x, y (AU), light_minutes and visible. Distances are logarithmic."""
    orbits = "\n".join(_orbit(planet, is_left=number % 2 == 1) for number, planet in enumerate(planets))
    legend = "\n".join(_legend(planet, 80 + 30 * number) for number, planet in enumerate(planets))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {SIZE}" font-family="sans-serif" \
font-size="13" fill="#222">
<title>The planets on {day}</title>
<rect width="{WIDTH}" height="{SIZE}" fill="#fff"/>
<circle cx="{CENTRE}" cy="{CENTRE}" r="9" fill="#f5b800"/>
{orbits}
<text x="{LEGEND}" y="40" font-size="20">The planets on {day}</text>
{legend}
<g fill="#666">
<text x="{LEGEND}" y="{SIZE - 40}">Seen from above the north pole; distances logarithmic.</text>
<text x="{LEGEND}" y="{SIZE - 20}">Bad rows left out: {quarantined}</text>
</g>
</svg>
"""


def _orbit(planet: Mapping[str, float | str], *, is_left: bool) -> str:
    x, y = _place(float(planet["x"]), float(planet["y"]))
    at, anchor = (x - 11, "end") if is_left else (x + 11, "start")
    return (
        f'<circle cx="{CENTRE}" cy="{CENTRE}" r="{hypot(x - CENTRE, y - CENTRE):.1f}" fill="none" stroke="#bbb"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{_colour(planet)}"/>'
        f'<text x="{at:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(str(planet["planet"]))}</text>'
    )


def _legend(planet: Mapping[str, float | str], y: int) -> str:
    visible = str(planet["visible"])
    said = f"{float(planet['light_minutes']):.0f} light minutes away, {visible}" if visible else "here"
    return (
        f'<circle cx="{LEGEND + 8}" cy="{y - 4}" r="5" fill="{_colour(planet)}"/>'
        f'<text x="{LEGEND + 24}" y="{y}">{escape(str(planet["planet"]))}: {escape(said)}</text>'
    )


def _colour(planet: Mapping[str, float | str]) -> str:
    return COLOURS.get(str(planet["planet"]), "#888888")


def _place(x: float, y: float) -> tuple[float, float]:
    distance = hypot(x, y)
    share = log10(distance / INNERMOST_AU) / log10(OUTERMOST_AU / INNERMOST_AU)
    scale = (30 + share * (CENTRE - 60)) / distance
    return CENTRE + x * scale, CENTRE - y * scale
