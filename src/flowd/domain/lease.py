"""When a silent worker may be given up: the rules by which the Rescuer takes a lease."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from flowd.domain.ids import ClaimToken, InstanceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredLease:
    """A running instance whose lease has ended by the metastore's clock; `heartbeats` counts those it has had."""

    key: InstanceKey
    token: ClaimToken
    heartbeats: int


@dataclass(slots=True)
class LeaseWatch:
    """What one rescuer has seen, on its own monotonic clock, in seconds.

    A lease is given up only where the metastore calls it expired, its heartbeat count has stood still for `patience`
    on this clock, and the metastore has been answering for `health` without a break. So a jump of the database's clock,
    or an outage that silenced every worker, kills nobody.
    """

    patience: timedelta
    health: timedelta
    _healthy_since: float | None = None
    _still_since: dict[tuple[ClaimToken, int], float] = field(default_factory=dict)

    def unreachable(self) -> None:
        """Note that the metastore did not answer: all patience begins anew."""
        self._healthy_since = None
        self._still_since.clear()

    def observe(self, expired: Sequence[ExpiredLease], at_seconds: float) -> list[ExpiredLease]:
        """Note the expired leases seen at this moment and return those that may be given up."""
        if self._healthy_since is None:
            self._healthy_since = at_seconds
        self._still_since = {
            (lease.token, lease.heartbeats): self._still_since.get((lease.token, lease.heartbeats), at_seconds)
            for lease in expired
        }
        if at_seconds - self._healthy_since < self.health.total_seconds():
            return []
        patience = self.patience.total_seconds()
        return [lease for lease in expired if at_seconds - self._still_since[lease.token, lease.heartbeats] >= patience]
