"""The solar system of one day as an SVG that needs nothing else."""

from collections.abc import Mapping, Sequence
from html import escape
from math import hypot, log10

SIZE = 640
CENTRE = SIZE / 2
INNERMOST_AU, OUTERMOST_AU = 0.3, 31.0
COLOURS = {
    "Mercury": "#9c9289", "Venus": "#d8a13a", "Earth": "#2f7fd6", "Mars": "#c2552d",
    "Jupiter": "#b98a5e", "Saturn": "#c9a94f", "Uranus": "#3fa7a3", "Neptune": "#4a5fd0",
}  # fmt: skip


def draw(day: str, planets: Sequence[Mapping[str, float | str]], quarantined: int) -> str:
    """Return the chart. Each planet has planet, x, y (AU), light_minutes and visible. Distances are logarithmic."""
    shapes = []
    lines = []
    for number, planet in enumerate(planets):
        name = str(planet["planet"])
        colour = COLOURS.get(name, "#888888")
        x, y = _place(float(planet["x"]), float(planet["y"]))
        radius = hypot(x - CENTRE, y - CENTRE)
        shapes.append(
            f'<circle cx="{CENTRE}" cy="{CENTRE}" r="{radius:.1f}" fill="none" stroke="#8884"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour}"/>'
            f'<text x="{x + 10:.1f}" y="{y + 4:.1f}">{escape(name)}</text>'
        )
        seen = "you are here" if name == "Earth" else f"{float(planet['light_minutes']):.0f} light minutes away"
        when = "" if name == "Earth" else f", seen {planet['visible']}"
        if str(planet["visible"]).startswith("lost"):
            when = f", {planet['visible']}"
        lines.append(
            f'<circle cx="{SIZE + 20}" cy="{76 + 30 * number}" r="5" fill="{colour}"/>'
            f'<text x="{SIZE + 34}" y="{80 + 30 * number}">{escape(f"{name}: {seen}{when}")}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE + 380} {SIZE}" font-family="sans-serif" '
        f'font-size="13" fill="#222">\n<title>The planets on {day}</title>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<circle cx="{CENTRE}" cy="{CENTRE}" r="9" fill="#f5b800"/>\n'
        + "\n".join(shapes)
        + f'\n<text x="{SIZE + 10}" y="40" font-size="20">The planets on {day}</text>\n'
        + "\n".join(lines)
        + f'\n<text x="{SIZE + 10}" y="{SIZE - 20}" fill="#666">seen from above the north pole; distances logarithmic; '
        f"{quarantined} bad rows left out</text>\n</svg>\n"
    )


def _place(x: float, y: float) -> tuple[float, float]:
    distance = hypot(x, y)
    share = log10(distance / INNERMOST_AU) / log10(OUTERMOST_AU / INNERMOST_AU)
    scale = (30 + share * (CENTRE - 60)) / distance
    return CENTRE + x * scale, CENTRE - y * scale
