"""FrameSocket: frames over a stream socket from within the reactor, never blocking."""

import socket
from collections.abc import Callable

from flowd.child.frames import Decoder, Frame, encode
from flowd.child.keeper.reactor import READ, WRITE, Reactor

_READ_BYTES = 256 * 1024


class FrameSocket:
    """Hands received frames to `on_frame`, and keeps what the peer does not read yet.

    `on_end` is called once, when the peer is gone or sent what is no frame; nothing is read or sent after that.
    """

    def __init__(
        self, sock: socket.socket, reactor: Reactor, on_frame: Callable[[Frame], None], on_end: Callable[[], None]
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._reactor = reactor
        self._on_frame = on_frame
        self._on_end = on_end
        self._decoder = Decoder()
        self._unsent = bytearray()
        self._is_over = False
        self._events = 0
        self._want(READ)

    @property
    def unsent_bytes(self) -> int:
        """How much the peer has yet to take."""
        return len(self._unsent)

    def put(self, frame: Frame) -> None:
        """Take the frame; flush() sends it. Raise FrameTooLong where it is that."""
        self.put_bytes(encode(frame))

    def put_bytes(self, encoded: bytes) -> None:
        """Take frames that are encoded already."""
        if not self._is_over:
            self._unsent += encoded

    def flush(self) -> None:
        """Send what the socket takes now; the rest goes when the peer reads on."""
        if self._unsent and not self._events & WRITE:
            self._send()

    def pause(self) -> None:
        """Read no more until resume()."""
        self._want(self._events & ~READ)

    def resume(self) -> None:
        """Read again."""
        if not self._is_over:
            self._want(self._events | READ)

    def drain(self) -> None:
        """Read all that has arrived."""
        while not self._is_over and self._receive():
            pass

    def close(self) -> None:
        """Close the socket; on_end is not called."""
        self._is_over = True
        self._want(0)
        self._unsent.clear()
        self._sock.close()

    def _on_events(self, events: int) -> None:
        if events & READ:
            self._receive()
        if events & WRITE and not self._is_over:
            self._send()

    def _receive(self) -> bool:
        try:
            received = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            received = b""
        frames = self._decode(received) if received else None
        if frames is None:
            self._end()
            return False
        for frame in frames:
            self._on_frame(frame)
        return True

    def _decode(self, received: bytes) -> list[Frame] | None:
        """Return the frames, None where the peer sent anything else (a task can send what it likes)."""
        try:
            frames = self._decoder.feed(received)
        except (ValueError, RecursionError):
            return None
        return frames if all(isinstance(frame, dict) for frame in frames) else None

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            # What the peer sent before it went is still to be read; reading finds the end.
            self._unsent.clear()
            sent = 0
        del self._unsent[:sent]
        self._want(self._events & ~WRITE | (WRITE if self._unsent else 0))

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._want(0)
            self._on_end()

    def _want(self, events: int) -> None:
        if events == self._events:
            return
        if self._events:
            self._reactor.unwatch(self._sock.fileno())
        if events:
            self._reactor.watch(self._sock.fileno(), self._on_events, events)
        self._events = events
