"""DeliveryRates: a brake on webhooks, and on strangers who guess at their signatures."""

from collections import OrderedDict, deque

from flowd.api.login import TooManyAttempts
from flowd.clock import Clock
from flowd.domain.errors import FlowdError

WINDOW_SECONDS = 60.0
MOST_FAILURES_OF_ADDRESS = 100
MOST_REMEMBERED = 10_000


class TooManyDeliveries(TooManyAttempts):
    """A webhook, or an address, sends more than it may; `retry_after_seconds` is when it may go on."""

    def __init__(self, what: str, limit: int, retry_after_seconds: float) -> None:
        FlowdError.__init__(
            self, f"{what}: more than {limit} a minute; try again in {max(1, round(retry_after_seconds))} s"
        )
        self.retry_after_seconds = retry_after_seconds


class DeliveryRates:
    """Counts deliveries by webhook, and bad ones by address, on this node; the oldest are forgotten first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counted: OrderedDict[str, deque[float]] = OrderedDict()

    def check_address(self, address: str) -> None:
        """Raise TooManyDeliveries where this address has sent too many that were not signed well."""
        self._check(f"address {address}", "bad deliveries of this address", MOST_FAILURES_OF_ADDRESS)

    def count_failure(self, address: str) -> None:
        """Note one that was not signed well."""
        self._count(f"address {address}")

    def count(self, webhook: str, limit: int) -> None:
        """Note a delivery that was signed well; raise TooManyDeliveries, and note nothing, where it is one too many."""
        self._check(f"webhook {webhook}", f"deliveries to webhook {webhook!r}", limit)
        self._count(f"webhook {webhook}")

    def _check(self, key: str, what: str, limit: int) -> None:
        moments = self._counted.get(key)
        if moments is None:
            return
        oldest_kept = self._clock.monotonic() - WINDOW_SECONDS
        while moments and moments[0] <= oldest_kept:
            moments.popleft()
        if len(moments) >= limit:
            raise TooManyDeliveries(what, limit, moments[0] - oldest_kept)

    def _count(self, key: str) -> None:
        self._counted.setdefault(key, deque()).append(self._clock.monotonic())
        self._counted.move_to_end(key)
        while len(self._counted) > MOST_REMEMBERED:
            self._counted.popitem(last=False)
