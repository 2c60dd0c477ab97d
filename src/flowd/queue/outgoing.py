"""Outgoing: assignments on their way to a broker as signed messages."""

import structlog

from flowd.domain.assignment import Assignment
from flowd.queue.message import SigningKeys, sign

log = structlog.get_logger(__name__)


def signed_or_none(
    assignment: Assignment, keys: SigningKeys, *, limit_bytes: int, is_ascii: bool = False
) -> bytes | None:
    """Return the message of `assignment`, or None, logged, where it cannot be written as JSON.

    One that cannot must not keep the rest of its batch from being sent.
    """
    try:
        return sign(assignment, keys, limit_bytes=limit_bytes, is_ascii=is_ascii)
    except (TypeError, ValueError, RecursionError) as exc:
        log.error("assignment cannot be sent", assignment=assignment.label, reason=type(exc).__name__)
        return None
