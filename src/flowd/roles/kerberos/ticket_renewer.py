"""TicketRenewer: keeps the Kerberos ticket of this host's tasks good, by renewing it at half of its life or sooner."""

import random
from datetime import timedelta

import structlog

from flowd.clock import Clock
from flowd.domain.errors import InvalidSettings, TicketRefused
from flowd.domain.kerberos_ticket import KerberosTicket
from flowd.roles.kerberos.kinit import Kinit
from flowd.roles.loop import Loop

log = structlog.get_logger(__name__)

REFUSED_PAUSE = timedelta(minutes=1)
"""How long what only a person can mend is left alone: a KDC may lock whoever shows a wrong key too often."""

SHORTEST_PAUSE = timedelta(seconds=1)


class TicketRenewer:
    """Fetches a ticket every `interval`, and sooner where half of its life is over.

    A KDC that is away is asked again as every backend is; what only a person can mend once a minute.
    """

    def __init__(self, kinit: Kinit, clock: Clock, interval: timedelta) -> None:
        self.loop = Loop("TicketRenewer", self.step, interval)
        self._kinit = kinit
        self._clock = clock
        self._ticket: KerberosTicket | None = None
        self._has_looked = False

    @property
    def is_ready(self) -> bool:
        """True while the cache holds a ticket that is good."""
        return self._seconds_left > 0

    def seconds_left(self) -> dict[str, float]:
        """Return how long the ticket is still good for, by its principal; 0 where there is none that is."""
        return {self._kinit.plan.principal: self._seconds_left}

    async def step(self) -> timedelta:
        """Renew the ticket and return when to do so again; raise KerberosUnavailable where no KDC gave one."""
        try:
            if not self._has_looked:
                # One that a process before this one has fetched is as good while the KDC is away.
                self._ticket = await self._kinit.held()
                self._has_looked = True
            self._ticket = ticket = await self._kinit.renew()
        except (InvalidSettings, TicketRefused) as error:
            log.error("no new kerberos ticket", error=str(error), seconds_left=round(self._seconds_left))
            return REFUSED_PAUSE * random.uniform(1.0, 1.1)
        log.info("kerberos ticket renewed", principal=ticket.principal, until=ticket.ends_at.isoformat())
        return max(ticket.half_life, SHORTEST_PAUSE)

    @property
    def _seconds_left(self) -> float:
        return self._ticket.seconds_left(self._clock.now()) if self._ticket is not None else 0.0
