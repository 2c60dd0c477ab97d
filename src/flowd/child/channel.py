"""Channel: the task process's end of the socket to its keeper."""

import os
import threading
from typing import Any

from flowd.child.frames import Decoder, Frame, encode
from flowd.domain.errors import FlowdError

_CHUNK_BYTES = 64 * 1024


class ChannelError(FlowdError):
    """The node refused a request; the text is its reason."""


class ChannelClosed(FlowdError):
    """The keeper is gone, or this process may not use the channel."""


class Channel:
    """Requests and replies over a blocking stream socket, one at a time, from any thread of its process."""

    def __init__(self, descriptor: int) -> None:
        # The bare descriptor: an object around it is dear to make in a process that has just been forked.
        self._descriptor = descriptor
        self._decoder = Decoder()
        self._replies: list[Frame] = []
        self._lock = threading.RLock()
        self._last_number = 0
        self._owner_pid = os.getpid()
        self._is_torn = False

    @property
    def descriptor(self) -> int:
        """The socket."""
        return self._descriptor

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send a request, wait for its reply and return it.

        Raises ChannelError with the node's reason where it refuses, ChannelClosed where nobody answers, TypeError
        where a field is not JSON.
        """
        with self._lock:
            self._last_number += 1
            number = self._last_number
            self._send({"op": op, "n": number, **fields})
            reply = self._reply_to(number)
        if "error" in reply:
            raise ChannelError(f"{op}: {reply['error']}")
        return reply

    def send_result(self, document: dict[str, Any]) -> None:
        """Send the result of the process; the keeper hands it on when the process has ended."""
        with self._lock:
            self._send({"op": "result", **document})

    def _send(self, frame: Frame) -> None:
        if os.getpid() != self._owner_pid:
            raise ChannelClosed(
                "this process was forked by the task and cannot use its channel: read variables, connections and "
                "XComs in the task's own process and pass them on"
            )
        if self._is_torn:
            raise ChannelClosed("the channel broke in the middle of a frame")
        octets = encode(frame)
        # A signal handler may raise in the middle; what follows half a frame would be read as its rest.
        self._is_torn = True
        try:
            sent = os.write(self._descriptor, octets)
            while sent < len(octets):
                sent += os.write(self._descriptor, memoryview(octets)[sent:])
        except OSError as error:
            raise ChannelClosed(f"the keeper cannot be reached: {error}") from error
        self._is_torn = False

    def _reply_to(self, number: int) -> Frame:
        while True:
            # A reply of a lower number is that of a request which a signal cut short.
            while self._replies:
                reply = self._replies.pop(0)
                if reply.get("n") == number:
                    return reply
            try:
                received = os.read(self._descriptor, _CHUNK_BYTES)
            except OSError as error:
                raise ChannelClosed(f"the keeper cannot be reached: {error}") from error
            if not received:
                raise ChannelClosed("the keeper closed the channel")
            self._replies += self._decoder.feed(received)
