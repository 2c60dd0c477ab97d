"""PageReader: a person who looks at pages, over one connection and with nothing between them and the socket."""

import gzip
import http.client
import time
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Seen:
    """One page as it came: the seconds to its first byte and to its last, its size, and its size in gzip."""

    first_byte: float
    whole: float
    size_bytes: int
    gzip_bytes: int


def session_cookie(port: int, password: str) -> str:
    """Log in as the admin; return the cookie of the session, as a header has it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        form = urlencode({"username": "admin", "password": password})
        connection.request("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 303:
            raise RuntimeError(f"the login as admin was answered {answer.status}; wanted 303")
        return answer.headers["Set-Cookie"].partition(";")[0]
    finally:
        connection.close()


class PageReader:
    """Reads pages of one node, as the admin."""

    def __init__(self, port: int, password: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Accept": "text/html", "Accept-Encoding": "gzip"}
        self._headers["Cookie"] = session_cookie(port, password)

    def read(self, path: str) -> Seen:
        """Return how the page came; raise RuntimeError where it is no page."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        first = answer.read(1)
        first_byte = time.perf_counter() - began
        body = first + answer.read()
        whole = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}; wanted 200")
        is_packed = answer.headers.get("Content-Encoding") == "gzip"
        return Seen(
            first_byte,
            whole,
            len(gzip.decompress(body)) if is_packed else len(body),
            len(body) if is_packed else len(gzip.compress(body, 6)),
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
