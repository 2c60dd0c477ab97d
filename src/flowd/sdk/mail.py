"""Mail: what tasks and DAGs send, with attachments, and the mail of a task that has failed."""

import html
import mimetypes
import re
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

from flowd.sdk.exceptions import AirflowException
from flowd.sdk.smtp import DEFAULT_CONN_ID, SmtpServer

_TAGS = re.compile(r"<[^>]+>")


def send_email(
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Iterable[str] | None = None,
    dryrun: bool = False,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",
    mime_charset: str = "utf-8",
    conn_id: str | None = None,
    custom_headers: Mapping[str, Any] | None = None,
    *,
    from_email: str | None = None,
    **_: Any,
) -> None:
    """Send a mail over connection `conn_id`; raise AirflowException where there is no recipient or it is refused.

    The HTML goes with a plain text made of it. `files` are paths. With `dryrun` the server is found and not spoken to.
    """
    server = SmtpServer.find(conn_id or DEFAULT_CONN_ID)
    receivers, copies = addresses(to), addresses(cc)
    if not receivers:
        raise AirflowException("mail has no recipient; give `to` an address or several")
    message = EmailMessage()
    headers: dict[str, str] = {
        "Subject": subject,
        "From": from_email or server.sender,
        "To": ", ".join(receivers),
        "Cc": ", ".join(copies),
        "Date": formatdate(localtime=False),
        "Message-ID": make_msgid(domain=(from_email or server.sender).rpartition("@")[2] or None),
        **{name: str(value) for name, value in (custom_headers or {}).items()},
    }
    for name, text in headers.items():
        if text:
            # A line break would begin another header.
            message[name] = " ".join(text.split())
    message.set_content(_TAGS.sub("", html_content), charset=mime_charset)
    message.add_alternative(html_content, subtype="html", charset=mime_charset)
    for path in map(Path, files or ()):
        kind, _encoding = mimetypes.guess_type(path.name)
        main, _slash, sub = (kind or "application/octet-stream").partition("/")
        message.add_attachment(path.read_bytes(), maintype=main, subtype=sub, filename=path.name)
    if not dryrun:
        server.send(message, [*receivers, *copies, *addresses(bcc)])


def addresses(given: str | Iterable[str] | None) -> list[str]:
    """Return the addresses that an author gave: a list, or a text with commas or semicolons between them."""
    if given is None:
        return []
    parts = re.split(r"[,;]", given) if isinstance(given, str) else list(given)
    return [one.strip() for one in parts if one.strip()]


def failure_mail(context: Mapping[str, Any], *, is_retried: bool) -> tuple[str, str]:
    """Return subject and HTML of the mail about a try that failed in this context."""
    ti, error = context["ti"], context.get("exception")
    outcome = "will be tried again" if is_retried else "failed"
    rows = {
        "DAG": ti.dag_id,
        "Task": ti.task_id,
        "Run": ti.run_id,
        "Try": f"{ti.try_number} of {ti.max_tries + 1}",
        "Host": ti.hostname,
        "Error": f"{type(error).__name__}: {error}" if error is not None else "",
    }
    table = "\n".join(f"<tr><th>{name}</th><td>{html.escape(str(value))}</td></tr>" for name, value in rows.items())
    link = html.escape(ti.log_url, quote=True)
    subject = f"flowd: {ti.dag_id}.{ti.task_id} {outcome} ({ti.run_id}, try {ti.try_number})"
    return subject, f'<table>\n{table}\n</table>\n<p><a href="{link}">Log</a></p>\n'
