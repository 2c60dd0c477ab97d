"""KerberosTicket: whom a ticket is for and from when to when it is good, read off what `klist` prints."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

CACHE_VARIABLE = "KRB5CCNAME"
"""Where whatever speaks Kerberos in a process finds its credential cache."""

NODE_CACHE_VARIABLE = "AIRFLOW__KERBEROS__CCACHE"
"""Where a node tells its child processes which cache is its own; of that alone a task of another user gets a copy."""

_FORM = "%m/%d/%y %H:%M:%S"
_MOMENT = r"(\d\d/\d\d/\d\d \d\d:\d\d:\d\d)"
_PRINCIPAL = re.compile(r"^Default principal: (.+)$", re.MULTILINE)
_TICKET = re.compile(rf"^{_MOMENT} +{_MOMENT} +krbtgt/", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KerberosTicket:
    """A ticket-granting ticket; its moments are those of the KDC's clock."""

    principal: str
    starts_at: datetime
    ends_at: datetime

    @property
    def half_life(self) -> timedelta:
        """How long after its start it is to be renewed at the latest: as long is left then to try again."""
        return (self.ends_at - self.starts_at) / 2

    def seconds_left(self, now: datetime) -> float:
        """Return how long it is still good for; 0 where it has ended."""
        return max((self.ends_at - now).total_seconds(), 0.0)

    def is_of(self, principal: str) -> bool:
        """Return whether it is for this principal, which may be without its realm."""
        return principal in (self.principal, self.principal.rpartition("@")[0])


def ticket_in(printed: str) -> KerberosTicket | None:
    """Return the first ticket-granting ticket that MIT's `klist` printed in the C locale and UTC; None for none."""
    principal, moments = _PRINCIPAL.search(printed), _TICKET.search(printed)
    if principal is None or moments is None:
        return None
    starts_at, ends_at = (datetime.strptime(text, _FORM).replace(tzinfo=UTC) for text in moments.groups())
    return KerberosTicket(principal=principal[1], starts_at=starts_at, ends_at=ends_at)
