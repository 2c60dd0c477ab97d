"""The instants a fixed time span apart: no calendar and no time zone, a day is 24 hours."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeltaTicks:
    """Ticks `delta` apart that have no anchor of their own: every moment is one, and leads to the next.

    Raises OverflowError where the answer lies outside the years 1 to 9999.
    """

    delta: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """Return the tick that follows `moment`."""
        return moment + self.delta

    def align_next(self, moment: datetime) -> datetime:
        """Return `moment`, for it is a tick."""
        return moment

    def align_previous(self, moment: datetime) -> datetime:
        """Return `moment`, for it is a tick."""
        return moment

    def latest_complete(self, now: datetime) -> datetime:
        """Return the start of the latest interval complete at `now`, of those counted from the epoch."""
        return now - (now - _EPOCH) % self.delta - self.delta
