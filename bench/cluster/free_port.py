"""free_port: where a server of one's own can listen."""

import random
import socket

PORTS = range(10_000, 32_768)
"""Below those that systems give to outgoing connections: none of these takes the port while its server is down."""

MOST_TRIES = 100


def free_port() -> int:
    """Return a port on loopback that nobody listens on now."""
    # Not from the usual generator: tests seed that, and would all be given the same ports.
    for port in random.SystemRandom().sample(PORTS, k=MOST_TRIES):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"{MOST_TRIES} ports from {PORTS.start} to {PORTS.stop - 1} are taken")
