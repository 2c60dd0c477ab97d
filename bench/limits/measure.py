"""measure_limits: every limit that the chosen backends need."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.cluster.backend import Backend, Broker, Metastore
from bench.figure import Limit
from bench.limits.broker import rabbitmq_limit, sqs_limit
from bench.limits.commits import mariadb_limit, postgres_limit, sqlite_limit
from bench.limits.floor import floors
from bench.limits.processes import process_limits
from bench.servers.mariadb import own_mariadb_database
from bench.servers.postgresql import own_postgres_database
from bench.servers.rabbitmq import amqp_url
from bench.servers.sqs import own_sqs


def measure_limits(
    backends: Sequence[Backend], folder: Path, *, seconds: float, slices: int, say: Callable[[str], None]
) -> dict[str, Limit]:
    """Return the limits by name; each rate is measured `slices` times for `seconds`."""
    say("limits of this machine: processes")
    found = process_limits(seconds, slices)
    for metastore in dict.fromkeys(backend.metastore for backend in backends):
        say(f"limits of this machine: {metastore}")
        found.append(_commits(metastore, folder, seconds, slices))
    for broker in dict.fromkeys(backend.broker for backend in backends):
        if broker is not Broker.DATABASE:
            say(f"limits of this machine: {broker}")
            found.append(_round_trip(broker, seconds * slices))
    limits = {limit.name: limit for limit in found}
    for backend in backends:
        limits |= {limit.name: limit for limit in floors(limits, backend)}
    return limits


def _commits(metastore: Metastore, folder: Path, seconds: float, slices: int) -> Limit:
    match metastore:
        case Metastore.SQLITE:
            return sqlite_limit(folder, seconds, slices)
        case Metastore.POSTGRES:
            with own_postgres_database() as url:
                return postgres_limit(url, seconds, slices)
        case Metastore.MARIADB:
            with own_mariadb_database() as url:
                return mariadb_limit(url, seconds, slices)


def _round_trip(broker: Broker, seconds: float) -> Limit:
    if broker is Broker.RABBITMQ:
        return rabbitmq_limit(amqp_url(), seconds)
    with own_sqs() as server:
        return sqs_limit(server.endpoint, seconds)
