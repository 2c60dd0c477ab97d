"""Packets between keeper and fork server: small JSON documents, each in one message, that may carry descriptors."""

import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any

_PACKET_BYTES = 64 * 1024
_DESCRIPTORS = 1


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets that keep messages apart and tell of the other's end."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, document: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one packet; raise OSError where the peer is gone, BlockingIOError where it does not read."""
    packet = json.dumps(document).encode()
    if descriptors:
        socket.send_fds(sock, [packet], descriptors)
    else:
        sock.send(packet)


def receive(sock: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Receive one packet and its descriptors; None at the end; raise BlockingIOError where there is none yet."""
    packet, descriptors, _, _ = socket.recv_fds(sock, _PACKET_BYTES, _DESCRIPTORS)
    return (json.loads(packet) if packet else None), descriptors
