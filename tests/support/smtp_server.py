"""SmtpServer: a mail server on loopback that keeps what it is given."""

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

REFUSED = "refused@example.com"


@dataclass(slots=True)
class Mailbox:
    """What came: the messages, whom each was for, and who logged in."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def a_mail_server() -> Iterator[Mailbox]:
    """A server for the length of the block."""
    mailbox = Mailbox()
    session = type("Session", (_Session,), {"mailbox": mailbox})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), session) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()


class _Session(socketserver.StreamRequestHandler):
    """RFC 5321 as far as a client needs it; mail for REFUSED is refused."""

    mailbox: Mailbox

    def handle(self) -> None:
        self._say("220 here")
        self._wanted: list[str] = []
        while line := self.rfile.readline().decode().strip():
            word, _, rest = line.partition(" ")
            if word.upper() == "QUIT":
                self._say("221 bye")
                return
            self._answer(word.upper(), rest)

    def _answer(self, word: str, rest: str) -> None:
        match word:
            case "EHLO":
                self._say("250-here")
                self._say("250 AUTH PLAIN")
            case "AUTH":
                _, login, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
                self.mailbox.logins.append((login, password))
                self._say("235 known")
            case "RCPT" if REFUSED in rest:
                self._say("550 no such box")
            case "RCPT":
                self._wanted.append(rest.partition("<")[2].partition(">")[0])
                self._say("250 ok")
            case "DATA":
                self._say("354 go on")
                self._take(self._wanted)
                self._wanted = []
            case _:
                self._say("250 ok")

    def _take(self, wanted: list[str]) -> None:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mailbox.messages.append(message)
        self.mailbox.recipients.append(wanted)
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
