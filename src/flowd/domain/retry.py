"""How often a task is tried again, and after how long: a pure value."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flowd.domain.errors import InvalidDag

DEFAULT_MAX_DELAY = timedelta(hours=24)
"""The cap of a growing delay where the policy sets none, as in Airflow."""

_MIN_BACKOFF_SECONDS = 1.0
_DOUBLING = 2.0
_FIRST_RETRY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Up to `retries` further tries, each `delay` after the one before it.

    `exponential_backoff` multiplies the delay after every retry: True by 2, a number by itself; False, 0 and 1 leave it
    as it is. It is kept as a number. `max_delay` caps a growing delay only, as in Airflow. The defaults are Airflow's.
    Raises InvalidDag for a negative or non-finite value.
    """

    retries: int = 0
    delay: timedelta = timedelta(minutes=5)
    exponential_backoff: bool | float = False
    max_delay: timedelta | None = None

    def __post_init__(self) -> None:
        # True equals 1.0 in Python, and here they mean different things.
        backoff = _DOUBLING if self.exponential_backoff is True else float(self.exponential_backoff)
        object.__setattr__(self, "exponential_backoff", backoff)
        if self.retries < 0:
            raise InvalidDag(f"retries is {self.retries}, wanted 0 or more: use retries=0 for a single try")
        if self.delay < timedelta(0):
            raise InvalidDag(f"retry_delay is {self.delay!r}, wanted 0 or more, such as timedelta(minutes=5)")
        if not math.isfinite(backoff) or backoff < 0:
            raise InvalidDag(f"retry_exponential_backoff is {backoff}, wanted True, False or a multiplier such as 2.0")
        if self.max_delay is not None and self.max_delay <= timedelta(0):
            raise InvalidDag(f"max_retry_delay is {self.max_delay!r}, wanted more than 0, such as timedelta(hours=1)")

    @property
    def multiplier(self) -> float:
        """By what the delay grows from one retry to the next; 1 where it does not."""
        return self.exponential_backoff or 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the policy as JSON values."""
        return {
            "retries": self.retries,
            "delay_seconds": self.delay.total_seconds(),
            "exponential_backoff": self.exponential_backoff,
            "max_delay_seconds": None if self.max_delay is None else self.max_delay.total_seconds(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RetryPolicy":
        """Return the policy that `to_json` wrote."""
        max_delay = document["max_delay_seconds"]
        return cls(
            retries=document["retries"],
            delay=timedelta(seconds=document["delay_seconds"]),
            exponential_backoff=document["exponential_backoff"],
            max_delay=None if max_delay is None else timedelta(seconds=max_delay),
        )


def delay_before(policy: RetryPolicy, try_number: int, jitter: float) -> timedelta:
    """Return how long to wait before try `try_number`, 2 being the first retry.

    A growing delay is at least a second and is stretched by `1 + jitter`, so that tasks which failed together do not
    return together; give the same `jitter` in [0, 1) for the same try, such as a hash of its key. The cap, which is
    `max_delay` or else 24 hours, comes last. Raises ValueError for a try that has no delay or a jitter out of range.
    """
    if try_number < _FIRST_RETRY:
        raise ValueError(f"try {try_number} is not a retry: the delay before a try begins with try {_FIRST_RETRY}")
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter is {jitter}, wanted 0 <= jitter < 1")
    if policy.multiplier == 1.0:
        return policy.delay
    cap = policy.max_delay or DEFAULT_MAX_DELAY
    seconds = _backoff_seconds(policy, try_number - _FIRST_RETRY) * (1 + jitter)
    # Compared as seconds, because a timedelta cannot hold what a few dozen doublings amount to.
    return cap if seconds >= cap.total_seconds() else timedelta(seconds=seconds)


def _backoff_seconds(policy: RetryPolicy, retries_before: int) -> float:
    if not policy.delay:
        return _MIN_BACKOFF_SECONDS
    try:
        return max(_MIN_BACKOFF_SECONDS, policy.delay.total_seconds() * policy.multiplier**retries_before)
    except OverflowError:
        return math.inf if policy.multiplier > 1 else _MIN_BACKOFF_SECONDS
