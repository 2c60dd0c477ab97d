"""TaskChannel: relays a task process's requests to the node and keeps its result."""

import socket
from collections.abc import Callable
from typing import Any

from flowd.child.frames import Frame, FrameTooLong
from flowd.child.keeper.frame_socket import FrameSocket
from flowd.child.keeper.node_link import NodeLink
from flowd.child.keeper.reactor import Reactor

UNREAD_BYTES = 128 * 1024 * 1024
"""A task that leaves so many bytes of replies unread has lost its channel."""


class TaskChannel:
    """The keeper's end of a task's socket. Requests wait in it while the node does not keep up.

    `mask` is called with each secret that the log must not show; the task goes on once that is done.
    """

    def __init__(
        self,
        attempt_id: int,
        sock: socket.socket,
        first_bytes: bytes,
        reactor: Reactor,
        node: NodeLink,
        *,
        mask: Callable[[str], None],
    ) -> None:
        self._mask = mask
        self.result: dict[str, Any] | None = None
        self._id = attempt_id
        self._node = node
        self._socket = FrameSocket(sock, reactor, self._take, lambda: None)
        self._socket.put_bytes(first_bytes)
        self._socket.flush()

    def reply(self, frame: Frame) -> None:
        """Send the node's reply to the task."""
        self._socket.put(frame)
        self._socket.flush()
        if self._socket.unsent_bytes > UNREAD_BYTES:
            self._socket.close()

    def close(self) -> None:
        """Take what the task sent before it ended, and close."""
        self._socket.drain()
        self._socket.close()

    def _take(self, frame: Frame) -> None:
        if frame.get("op") == "result":
            self.result = {name: value for name, value in frame.items() if name != "op"}
            return
        if frame.get("op") == "mask":
            self._mask(str(frame.get("secret", "")))
            self.reply({"n": frame.get("n")})
            return
        try:
            self._node.put({"op": "request", "id": self._id, "frame": frame})
        except FrameTooLong as error:
            self.reply({"n": frame.get("n"), "error": str(error)})
        if self._node.is_congested:
            self._socket.pause()
            self._node.when_clear(self._socket.resume)
