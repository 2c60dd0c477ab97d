"""NodeLink: the keeper's end of the socket to its node, and whether the node keeps up."""

import socket
from collections.abc import Callable

from flowd.child.frames import Frame
from flowd.child.keeper.frame_socket import FrameSocket
from flowd.child.keeper.reactor import Reactor

CONGESTED_BYTES = 1024 * 1024
"""With so much unread by the node, nothing is taken from tasks; what the keeper itself has to say is always taken."""


class NodeLink:
    """Frames to and from the node."""

    def __init__(
        self, sock: socket.socket, reactor: Reactor, on_frame: Callable[[Frame], None], on_end: Callable[[], None]
    ) -> None:
        self._socket = FrameSocket(sock, reactor, on_frame, on_end)
        self._waiting: list[Callable[[], None]] = []

    @property
    def is_congested(self) -> bool:
        """Whether the node is so far behind that tasks have to wait."""
        return self._socket.unsent_bytes > CONGESTED_BYTES

    def when_clear(self, callback: Callable[[], None]) -> None:
        """Call back once, when the node has caught up by half."""
        self._waiting.append(callback)

    def put(self, frame: Frame) -> None:
        """Take the frame; it goes with the next end_turn(). Raise FrameTooLong where it is that."""
        self._socket.put(frame)

    def end_turn(self) -> None:
        """Send what this turn has put, in one write; call it after each turn of the reactor."""
        self._socket.flush()
        if self._waiting and self._socket.unsent_bytes < CONGESTED_BYTES // 2:
            waiting, self._waiting = self._waiting, []
            for callback in waiting:
                callback()
