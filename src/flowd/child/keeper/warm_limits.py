"""WarmLimits: how many fork servers a keeper may hold, and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmLimits:
    """At most `servers` fork servers; one idle for `idle_seconds` ends; an import may take `load_seconds`.

    A fork takes milliseconds: a server silent for `answer_seconds` is killed, and the fork done without it.
    """

    servers: int = 16
    idle_seconds: float = 300.0
    load_seconds: float = 60.0
    answer_seconds: float = 5.0
