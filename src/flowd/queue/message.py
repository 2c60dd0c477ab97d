"""The wire form of a task message: one signed line, then the assignment as JSON that a person can read.

    flowd1 <key id> <hex HMAC-SHA256 of the body>
    {"dag_id": "etl", ..., "work": {"kind": "bash", "script": "echo hello"}}

Where the whole would pass the broker's limit, the work is left out: the message is then an Outline of the assignment.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from flowd.domain.assignment import Assignment, assignment_from_json, assignment_to_json
from flowd.domain.errors import InvalidInput, InvalidMessage
from flowd.domain.ids import UNMAPPED, DagId, InstanceKey, RunId, TaskId

FORMAT = b"flowd1"
DEFAULT_LIMIT_BYTES = 1024 * 1024
KEY_PURPOSE = b"flowd task message, signing key, 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """An assignment too long for the broker, by name only: the worker reads the rest from the metastore."""

    instance: InstanceKey
    dag_id: DagId
    run_id: RunId
    task_id: TaskId
    map_index: int = UNMAPPED
    try_number: int
    leg: int = 0
    queue: str

    @classmethod
    def of(cls, assignment: Assignment) -> Self:
        """Return the outline of `assignment`."""
        return cls(
            instance=assignment.instance,
            dag_id=assignment.dag_id,
            run_id=assignment.run_id,
            task_id=assignment.task_id,
            map_index=assignment.map_index,
            try_number=assignment.try_number,
            leg=assignment.leg,
            queue=assignment.queue,
        )


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The cluster's message keys by key id: the first one signs, every one is believed, so keys can be rotated."""

    by_id: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.by_id:
            raise InvalidInput("no key to sign task messages with; give at least one secret key")

    @classmethod
    def from_secrets(cls, secrets: Sequence[str]) -> Self:
        """Derive a key for this purpose alone from each cluster secret, newest first."""
        if not all(secrets):
            raise InvalidInput("an empty secret cannot sign task messages; give a random one of 32 bytes or more")
        keys = [hmac.digest(secret.encode(), KEY_PURPOSE, "sha256") for secret in secrets]
        return cls({hashlib.sha256(key).hexdigest()[:8]: key for key in keys})

    @property
    def signing(self) -> tuple[str, bytes]:
        """The id and the key that new messages are signed with."""
        return next(iter(self.by_id.items()))


def sign(
    assignment: Assignment, keys: SigningKeys, *, limit_bytes: int = DEFAULT_LIMIT_BYTES, is_ascii: bool = False
) -> bytes:
    """Return the signed message of `assignment`, or of its outline where that would be longer than `limit_bytes`.

    `is_ascii` escapes every other character, for a broker that does not carry them all; `read` need not be told.
    """
    message = _signed(assignment_to_json(assignment), keys, is_ascii)
    if len(message) <= limit_bytes:
        return message
    return _signed(_outline_to_json(Outline.of(assignment)), keys, is_ascii)


def read(message: bytes, keys: SigningKeys, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> Assignment | Outline:
    """Return what `sign` put into `message`.

    Raises InvalidMessage with the reason, and with nothing of the content, where it is longer than `limit_bytes`, was
    not signed with one of `keys`, or cannot be read.
    """
    if len(message) > limit_bytes:
        raise InvalidMessage(f"task message refused: {len(message)} bytes, at most {limit_bytes} are read")
    body = _verified(message, keys)
    try:
        document = json.loads(body)
        return _outline_from_json(document) if document["work"] is None else assignment_from_json(document)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as exc:
        # The cause is cut off: a JSON or value error quotes what it could not read.
        raise InvalidMessage(f"task message refused: signed, but no assignment ({type(exc).__name__})") from None


def queue_of(message: bytes, keys: SigningKeys) -> str | None:
    """Return the queue that a message says it was sent to; None where it was not signed with one of `keys`."""
    try:
        return read(message, keys, limit_bytes=len(message)).queue
    except InvalidMessage:
        return None


def glimpse(message: bytes) -> Outline | None:
    """Return the names in `message`, whoever wrote it, for people to look at; None where there are none to be read."""
    try:
        return _outline_from_json(json.loads(message.partition(b"\n")[2]))
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        return None


def _signed(document: Mapping[str, Any], keys: SigningKeys, is_ascii: bool) -> bytes:
    text = json.dumps(document, ensure_ascii=is_ascii, separators=(", ", ": "), sort_keys=False)
    body = text.encode("utf-8", "surrogatepass")
    key_id, key = keys.signing
    return b"%b %b %b\n%b" % (FORMAT, key_id.encode(), _signature(body, key), body)


def _verified(message: bytes, keys: SigningKeys) -> bytes:
    header, newline, body = message.partition(b"\n")
    parts = header.split(b" ")
    if not newline or len(parts) != 3 or parts[0] != FORMAT:
        raise InvalidMessage("task message refused: its first line is not `flowd1 <key id> <signature>`")
    key = keys.by_id.get(parts[1].decode("ascii", "replace"))
    if key is None:
        raise InvalidMessage("task message refused: signed with a key that this node does not have")
    if not hmac.compare_digest(parts[2], _signature(body, key)):
        raise InvalidMessage("task message refused: the signature does not fit the content")
    return body


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, "sha256").hex().encode()


def _outline_to_json(outline: Outline) -> dict[str, Any]:
    return {
        "dag_id": outline.dag_id,
        "run_id": outline.run_id,
        "task_id": outline.task_id,
        "map_index": outline.map_index,
        "try_number": outline.try_number,
        "leg": outline.leg,
        "instance": outline.instance,
        "queue": outline.queue,
        "work": None,
    }


def _outline_from_json(document: Mapping[str, Any]) -> Outline:
    return Outline(
        instance=InstanceKey(int(document["instance"])),
        dag_id=DagId(document["dag_id"]),
        run_id=RunId(document["run_id"]),
        task_id=TaskId(document["task_id"]),
        map_index=int(document["map_index"]),
        try_number=int(document["try_number"]),
        leg=int(document["leg"]),
        queue=document["queue"],
    )
