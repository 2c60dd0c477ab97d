"""measure_limits: every limit that the chosen backends need."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.cluster.backend import Backend
from bench.cluster.servers import amqp_url, own_database
from bench.figure import Limit
from bench.limits.broker import broker_limit
from bench.limits.commits import postgres_limit, sqlite_limit
from bench.limits.floor import floors
from bench.limits.processes import process_limits


def measure_limits(
    backends: Sequence[Backend], folder: Path, *, seconds: float, slices: int, say: Callable[[str], None]
) -> dict[str, Limit]:
    """Return the limits by name; each rate is measured `slices` times for `seconds`."""
    say("limits of this machine: processes")
    found = process_limits(seconds, slices)
    if Backend.SQLITE in backends:
        say("limits of this machine: SQLite")
        found.append(sqlite_limit(folder, seconds, slices))
    if Backend.POSTGRES in backends:
        say("limits of this machine: PostgreSQL and RabbitMQ")
        with own_database() as url:
            found.append(postgres_limit(url, seconds, slices))
        found.append(broker_limit(amqp_url(), seconds * slices))
    limits = {limit.name: limit for limit in found}
    for backend in backends:
        limits |= {limit.name: limit for limit in floors(limits, backend)}
    return limits
