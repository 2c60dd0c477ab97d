"""TaskSetup: what a Python process is told to become a task, and how it is read from its channel."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowd.child.frames import encode
from flowd.child.keeper.environment_change import EnvironmentChange
from flowd.child.keeper.wire import limits_to_json
from flowd.child.launch import Limits

_SIZE_BYTES = 4
_FIRST_BYTES = 64 * 1024
_DESCRIPTORS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSetup:
    """The call `entry.main(channel, payload)` and its surroundings; `env` is relative to the process that is forked."""

    attempt_id: int
    entry: str
    payload: Mapping[str, Any]
    env: EnvironmentChange
    cwd: str
    limits: Limits

    def to_bytes(self) -> bytes:
        """Return the frame by which the keeper hands this to a process that it did not fork itself."""
        document = {
            "attempt_id": self.attempt_id,
            "entry": self.entry,
            "payload": self.payload,
            "env": [self.env.set, self.env.removed],
            "cwd": self.cwd,
        }
        if self.limits != Limits():
            document["limits"] = limits_to_json(self.limits)
        return encode(document)


def read_setup(channel: int) -> TaskSetup:
    """Read the frame of TaskSetup.to_bytes() and not a byte more; exit where the keeper went away instead."""
    size = _read_exactly(channel, _SIZE_BYTES, b"")
    return _setup(_read_exactly(channel, int.from_bytes(size), b""))


def receive_setup(channel: int) -> tuple[TaskSetup, list[int]]:
    """Wait for the frame and the descriptors that come with its beginning; exit where the keeper went away instead."""
    waiting = socket.socket(fileno=channel)
    begin, descriptors, _, _ = socket.recv_fds(waiting, _FIRST_BYTES, _DESCRIPTORS)
    waiting.detach()
    begin = _read_exactly(channel, _SIZE_BYTES, begin)
    size = int.from_bytes(begin[:_SIZE_BYTES])
    return _setup(_read_exactly(channel, size, begin[_SIZE_BYTES:])), descriptors


def _setup(body: bytes) -> TaskSetup:
    document = json.loads(body.decode("utf-8", "surrogatepass"))
    env = EnvironmentChange(*document.pop("env"))
    return TaskSetup(env=env, limits=Limits(**document.pop("limits", {})), **document)


def _read_exactly(channel: int, size: int, received: bytes) -> bytes:
    while len(received) < size:
        part = os.read(channel, size - len(received))
        if not part:
            os._exit(1)
        received += part
    return received
