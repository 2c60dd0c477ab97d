"""Rings: what a doorbell's message says, over any broker."""

import json

from flowd.domain.ids import RunKey

LONGEST_RING_BYTES = 1024 * 1024


def run_keys(body: bytes) -> list[RunKey]:
    """Read a ring; one that cannot be read rings nobody. Rings are hints, so they need no signature."""
    if len(body) > LONGEST_RING_BYTES:
        return []
    try:
        keys = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return [RunKey(key) for key in keys if type(key) is int] if isinstance(keys, list) else []
