"""How long this very try waits before the next: its policy, with a jitter that is the same on every node."""

import hashlib
from datetime import timedelta

from flowd.domain.ids import InstanceKey
from flowd.domain.retry import RetryPolicy, delay_before


def retry_after(policy: RetryPolicy, instance: InstanceKey, try_number: int, max_tries: int) -> timedelta:
    """Return the delay between the failed try `try_number` and the next one.

    Tries that were given back (lost, interrupted) raised `max_tries`: only true failures make it grow.
    """
    failures = max(1, try_number - max_tries + policy.retries)
    digest = hashlib.sha256(f"{instance}/{try_number}".encode()).digest()
    jitter = int.from_bytes(digest[:4], "big") / 2**32
    return delay_before(policy, failures + 1, jitter)
