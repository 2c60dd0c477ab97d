"""EmailOperator: sends a mail."""

from collections.abc import Iterable, Sequence
from typing import Any

from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.mail import send_email


class EmailOperator(BaseOperator):
    """Send a mail over the connection `conn_id` (`smtp_default`); `files` are the paths of attachments."""

    template_fields: Sequence[str] = ("to", "subject", "html_content", "from_email", "files", "cc", "bcc")
    template_ext: Sequence[str] = (".html",)
    template_fields_renderers = {"html_content": "html"}  # noqa: RUF012
    ui_color = "#e6faf9"

    def __init__(
        self,
        *,
        to: str | Iterable[str],
        subject: str,
        html_content: str,
        from_email: str | None = None,
        files: Sequence[str] | None = None,
        cc: str | Iterable[str] | None = None,
        bcc: str | Iterable[str] | None = None,
        mime_subtype: str = "mixed",
        mime_charset: str = "utf-8",
        conn_id: str | None = None,
        custom_headers: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to, self.cc, self.bcc = to, cc, bcc
        self.subject, self.html_content, self.from_email = subject, html_content, from_email
        self.files = list(files or ())
        self.mime_subtype, self.mime_charset = mime_subtype, mime_charset
        self.conn_id, self.custom_headers = conn_id, custom_headers

    def execute(self, context: Any) -> None:
        """Send it; raise AirflowException where the server refuses it."""
        send_email(
            self.to,
            self.subject,
            self.html_content,
            files=self.files,
            cc=self.cc,
            bcc=self.bcc,
            mime_charset=self.mime_charset,
            conn_id=self.conn_id,
            custom_headers=self.custom_headers,
            from_email=self.from_email,
        )
