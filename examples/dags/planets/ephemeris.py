"""Where the planets are at a moment: Standish's method, good to some arc minutes from 1800 to 2050."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from math import acos, atan2, cos, degrees, hypot, radians, sin, sqrt, tau

J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
SECONDS_PER_CENTURY = 36_525 * 86_400
LIGHT_MINUTES_PER_AU = 8.316746

GLARE_DEGREES = 15.0
"""Nearer than this to the Sun in the sky, a planet is lost in its light."""

OPPOSITE_DEGREES = 150.0
"""Further than this from the Sun in the sky, a planet is up nearly all night."""

KEPLER_TOLERANCE = 0.01


class BadElements(ValueError):
    """A row that is no orbit. The text says why."""


@dataclass(frozen=True, slots=True)
class Elements:
    """An orbit at J2000 and its change per century: AU and degrees."""

    a: float
    a_rate: float
    e: float
    e_rate: float
    i: float
    i_rate: float
    l: float  # noqa: E741 - the letter astronomers use
    l_rate: float
    peri: float
    peri_rate: float
    node: float
    node_rate: float

    @classmethod
    def parse(cls, row: Mapping[str, str]) -> "Elements":
        """Return the orbit of a row; raise BadElements for one with gaps or against Kepler's third law."""
        missing = [field.name for field in fields(cls) if not row.get(field.name)]
        if missing:
            raise BadElements(f"no value for {', '.join(missing)}")
        try:
            elements = cls(**{field.name: float(row[field.name]) for field in fields(cls)})
        except ValueError as error:
            raise BadElements(f"not a number: {error}") from error
        if not 0 <= elements.e < 1:
            raise BadElements(f"eccentricity {elements.e} is no ellipse; wanted 0 to 1")
        if elements.a <= 0 or elements.l_rate <= 0:
            raise BadElements("the orbit has no size or goes nowhere")
        years_by_size = elements.a**1.5
        years_by_motion = 36_000 / elements.l_rate
        if abs(years_by_size / years_by_motion - 1) > KEPLER_TOLERANCE:
            raise BadElements(
                f"its size says a year of {years_by_size:.4g}, its motion one of {years_by_motion:.4g} of ours: "
                "against Kepler's third law"
            )
        return elements

    def at(self, moment: datetime) -> tuple[float, float, float]:
        """Return the heliocentric position in AU, in the ecliptic of J2000."""
        centuries = (moment - J2000).total_seconds() / SECONDS_PER_CENTURY
        a = self.a + self.a_rate * centuries
        e = self.e + self.e_rate * centuries
        inclination = radians(self.i + self.i_rate * centuries)
        perihelion = radians(self.peri + self.peri_rate * centuries)
        node = radians(self.node + self.node_rate * centuries)
        mean_anomaly = (radians(self.l + self.l_rate * centuries) - perihelion) % tau
        eccentric = _eccentric_anomaly(mean_anomaly, e)
        # In the plane of the orbit, the perihelion on the x axis.
        x, y = a * (cos(eccentric) - e), a * sqrt(1 - e * e) * sin(eccentric)
        w = perihelion - node
        along, across = x * cos(w) - y * sin(w), x * sin(w) + y * cos(w)
        return (
            along * cos(node) - across * sin(node) * cos(inclination),
            along * sin(node) + across * cos(node) * cos(inclination),
            across * sin(inclination),
        )


@dataclass(frozen=True, slots=True)
class Sighting:
    """A planet as seen from the Earth."""

    distance_au: float
    elongation_degrees: float
    """The angle to the Sun: positive east of it (evening sky), negative west of it (morning sky)."""

    @property
    def light_minutes(self) -> float:
        """How long its light is under way."""
        return self.distance_au * LIGHT_MINUTES_PER_AU

    @property
    def when(self) -> str:
        """When it can be seen, in words."""
        if abs(self.elongation_degrees) < GLARE_DEGREES:
            return "lost in the light of the Sun"
        if abs(self.elongation_degrees) > OPPOSITE_DEGREES:
            return "seen all night"
        return "seen in the evening" if self.elongation_degrees > 0 else "seen in the morning"


def sight(planet: tuple[float, float, float], earth: tuple[float, float, float]) -> Sighting:
    """Return how a planet looks from the Earth, both given by their heliocentric positions."""
    to_planet = tuple(p - q for p, q in zip(planet, earth, strict=True))
    to_sun = tuple(-q for q in earth)
    distance = hypot(*to_planet)
    cosine = sum(p * q for p, q in zip(to_planet, to_sun, strict=True)) / (distance * hypot(*to_sun))
    elongation = degrees(acos(max(-1.0, min(1.0, cosine))))
    east = (atan2(to_planet[1], to_planet[0]) - atan2(to_sun[1], to_sun[0])) % tau
    return Sighting(distance, elongation if east < tau / 2 else -elongation)


def _eccentric_anomaly(mean_anomaly: float, e: float) -> float:
    """Solve Kepler's equation with Newton's method; a handful of steps suffice for the planets."""
    eccentric = mean_anomaly
    for _ in range(10):
        eccentric -= (eccentric - e * sin(eccentric) - mean_anomaly) / (1 - e * cos(eccentric))
    return eccentric
