"""TaskServer: answers what a task process asks, from dicts, directly or over a socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flowd.child.channel import Channel
from flowd.child.frames import Decoder, Frame, encode


@dataclass(slots=True)
class TaskServer:
    """What the metastore would hold: `xcoms` by (task id, key), and all frames that were received.

    `answers` are replies by operation, in turn; the last of them is given for ever.
    """

    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    backend: dict[str, str] = field(default_factory=dict)
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    previous: dict[str, str] = field(default_factory=dict)
    rendered: dict[str, Any] = field(default_factory=dict)
    rendered_map_index: str | None = None
    refusals: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    masked: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    result: dict[str, Any] | None = None

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Answer one request."""
        self.asked.append(op)
        self.requests.append({"op": op, **fields})
        if op in self.refusals:
            return {"error": self.refusals[op]}
        if op in self.answers:
            given = self.answers[op]
            return given.pop(0) if len(given) > 1 else given[0]
        answer: dict[str, Any] = getattr(self, f"_{op}")(**fields)
        return answer

    @contextmanager
    def channel(self) -> Iterator[Channel]:
        """A channel to this server over a real socket, answered in a thread."""
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=self._serve, args=(theirs,))
        thread.start()
        try:
            yield Channel(ours.fileno())
        finally:
            ours.close()
            thread.join()

    def _serve(self, sock: socket.socket) -> None:
        decoder = Decoder()
        with sock:
            while received := sock.recv(65536):
                for frame in decoder.feed(received):
                    self._take(sock, frame)

    def _take(self, sock: socket.socket, frame: Frame) -> None:
        fields = {name: value for name, value in frame.items() if name not in ("op", "n")}
        if frame["op"] == "result":
            self.result = fields
        else:
            sock.sendall(encode({"n": frame["n"], **self.request(frame["op"], **fields)}))

    def _xcom_push(self, key: str, value: Any) -> dict[str, Any]:
        self.xcoms["(running)", key] = value
        return {}

    def _xcom_pull(self, task_ids: list[str] | None, key: str, **_: Any) -> dict[str, Any]:
        entries = [
            {"task_id": task_id, "map_index": -1, "run_id": "manual__1", "value": value}
            for (task_id, pushed), value in self.xcoms.items()
            if pushed == key and (task_ids is None or task_id in task_ids)
        ]
        return {"entries": entries}

    def _mask(self, secret: str) -> dict[str, Any]:
        self.masked.append(secret)
        return {}

    def _variable_get(self, key: str, is_in_environment: bool = False) -> dict[str, Any]:
        if key in self.backend:
            return {"found": True, "value": self.backend[key], "is_secret": True}
        is_found = key in self.variables and not is_in_environment
        return {"found": is_found, "value": self.variables.get(key) if is_found else None, "is_secret": False}

    def _variable_set(self, key: str, value: str, description: str | None) -> dict[str, Any]:
        self.variables[key] = value
        return {}

    def _variable_delete(self, key: str) -> dict[str, Any]:
        return {"found": self.variables.pop(key, None) is not None}

    def _connection_get(self, conn_id: str, is_in_environment: bool = False) -> dict[str, Any]:
        if conn_id in self.backend:
            return {"found": True, "text": self.backend[conn_id], "connection": None}
        is_found = conn_id in self.connections and not is_in_environment
        return {"found": is_found, "text": None, "connection": self.connections.get(conn_id) if is_found else None}

    def _rendered(self, fields: dict[str, Any], rendered_map_index: str | None) -> dict[str, Any]:
        self.rendered, self.rendered_map_index = fields, rendered_map_index
        return {}

    def _context(self) -> dict[str, Any]:
        return self.previous
