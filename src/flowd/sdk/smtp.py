"""SmtpServer: where mail goes out, from the connection `smtp_default` or Airflow's own variables."""

import os
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Self

from flowd.sdk.connection import Connection
from flowd.sdk.exceptions import AirflowException, AirflowNotFoundException

DEFAULT_CONN_ID = "smtp_default"
DEFAULT_SENDER = "flowd@localhost"
_VARIABLE = "AIRFLOW__SMTP__SMTP_"
_NO = {"", "0", "f", "false", "n", "no", "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """One server; it is spoken to over TLS from the first byte, or after STARTTLS, or in clear."""

    host: str
    port: int
    login: str | None = None
    password: str | None = None
    has_tls: bool = False
    has_starttls: bool = False
    sender: str = DEFAULT_SENDER
    timeout_seconds: float = 30.0
    is_certificate_checked: bool = True

    @classmethod
    def find(cls, conn_id: str = DEFAULT_CONN_ID) -> Self:
        """Return the server of this connection; where there is no `smtp_default`, that of AIRFLOW__SMTP__SMTP_HOST.

        Raises AirflowNotFoundException, saying what to set, where there is neither.
        """
        try:
            return cls.of_connection(Connection.get(conn_id))
        except AirflowNotFoundException:
            host = os.environ.get(f"{_VARIABLE}HOST")
            if conn_id != DEFAULT_CONN_ID or not host:
                raise AirflowNotFoundException(
                    f"no mail server is known: make connection {conn_id!r} of type smtp, or set {_VARIABLE}HOST"
                ) from None
        has_tls = _is_set("SSL", False)
        return cls(
            host=host,
            port=int(os.environ.get(f"{_VARIABLE}PORT", 465 if has_tls else 25)),
            login=os.environ.get(f"{_VARIABLE}USER"),
            password=os.environ.get(f"{_VARIABLE}PASSWORD"),
            has_tls=has_tls,
            has_starttls=_is_set("STARTTLS", True),
            sender=os.environ.get(f"{_VARIABLE}MAIL_FROM", DEFAULT_SENDER),
            timeout_seconds=float(os.environ.get(f"{_VARIABLE}TIMEOUT", 30)),
        )

    @classmethod
    def of_connection(cls, connection: Connection) -> Self:
        """Return the server of a connection of Airflow's type smtp, whose extra has from_email, disable_ssl and so on.

        Raises AirflowException where it has no host.
        """
        if not connection.host:
            raise AirflowException(f"connection {connection.conn_id!r} has no host; give it that of a mail server")
        extra = connection.extra_dejson
        has_tls = not _is_true(extra.get("disable_ssl", False))
        return cls(
            host=connection.host,
            port=connection.port or (465 if has_tls else 25),
            login=connection.login,
            password=connection.password,
            has_tls=has_tls,
            has_starttls=not _is_true(extra.get("disable_tls", False)),
            sender=extra.get("from_email") or DEFAULT_SENDER,
            timeout_seconds=float(extra.get("timeout", 30)),
            is_certificate_checked=extra.get("ssl_context") != "none",
        )

    def check(self) -> None:
        """Log in as for a mail, and send none; raise AirflowException where the server is away or refuses."""
        try:
            with self._open() as client:
                if self.login:
                    client.login(self.login, self.password or "")
                client.noop()
        except (OSError, smtplib.SMTPException) as error:
            raise AirflowException(f"{self.host}:{self.port} is no mail server to use: {error}") from error

    def send(self, message: EmailMessage, recipients: Sequence[str]) -> None:
        """Hand the message over for all recipients; raise AirflowException with the answer of a server that refuses."""
        try:
            with self._open() as client:
                if self.login:
                    client.login(self.login, self.password or "")
                client.send_message(message, from_addr=message["From"], to_addrs=list(recipients))
        except (OSError, smtplib.SMTPException) as error:
            raise AirflowException(f"mail was not sent over {self.host}:{self.port}: {error}") from error

    def _open(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if not self.is_certificate_checked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.has_tls:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_seconds, context=context)
        client = smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
        if self.has_starttls:
            client.starttls(context=context)
        return client


def _is_set(name: str, default: bool) -> bool:
    return _is_true(os.environ.get(f"{_VARIABLE}{name}", default))


def _is_true(value: Any) -> bool:
    return value.strip().lower() not in _NO if isinstance(value, str) else bool(value)
