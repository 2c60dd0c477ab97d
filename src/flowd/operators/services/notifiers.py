"""Notifiers: callbacks that send a mail, a message to Slack, or any HTTP request."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flowd.operators.services.http_hook import HttpHook
from flowd.sdk.connection import Connection
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.mail import send_email
from flowd.sdk.notifier import BaseNotifier


class SmtpNotifier(BaseNotifier):
    """Send a mail when called back; without `subject` and `html_content` it says which task or run, and its state."""

    template_fields: Sequence[str] = ("to", "from_email", "subject", "html_content", "cc", "bcc", "files")

    def __init__(
        self,
        to: str | Iterable[str],
        from_email: str | None = None,
        subject: str | None = None,
        html_content: str | None = None,
        files: Sequence[str] | None = None,
        cc: str | Iterable[str] | None = None,
        bcc: str | Iterable[str] | None = None,
        mime_subtype: str = "mixed",
        mime_charset: str = "utf-8",
        custom_headers: Mapping[str, Any] | None = None,
        smtp_conn_id: str = "smtp_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to, self.cc, self.bcc, self.from_email = to, cc, bcc, from_email
        self.subject = subject or _SUBJECT
        self.html_content = html_content or _HTML
        self.files = list(files or ())
        self.mime_charset, self.custom_headers, self.smtp_conn_id = mime_charset, custom_headers, smtp_conn_id

    def notify(self, context: Any) -> None:
        """Send the mail."""
        send_email(
            self.to,
            self.subject,
            self.html_content,
            files=self.files,
            cc=self.cc,
            bcc=self.bcc,
            mime_charset=self.mime_charset,
            conn_id=self.smtp_conn_id,
            custom_headers=self.custom_headers,
            from_email=self.from_email,
        )


_WHAT = "{{ dag.dag_id }}{% if ti is defined %}.{{ ti.task_id }}{% endif %}"
_SUBJECT = f"flowd: {_WHAT}: {{{{ ti.state if ti is defined else dag_run.state }}}} ({{{{ run_id }}}})"
_HTML = f"<p>{_WHAT}, run {{{{ run_id }}}}</p>\n{{% if exception %}}<pre>{{{{ exception | e }}}}</pre>{{% endif %}}\n"


class SlackWebhookNotifier(BaseNotifier):
    """Post `text`, `blocks` or `attachments` to the incoming webhook of connection `slack_webhook_conn_id`.

    The whole URL may be the connection's password, as Airflow has it, or its host with the token as its password.
    """

    template_fields: Sequence[str] = ("slack_webhook_conn_id", "text", "attachments", "blocks")

    def __init__(
        self,
        *,
        slack_webhook_conn_id: str = "slackwebhook_default",
        text: str = "",
        blocks: Sequence[Mapping[str, Any]] | None = None,
        attachments: Sequence[Mapping[str, Any]] | None = None,
        unfurl_links: bool | None = None,
        unfurl_media: bool | None = None,
        timeout: float | None = None,
        proxy: str | None = None,
        retry_handlers: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.slack_webhook_conn_id = slack_webhook_conn_id
        self.text, self.blocks, self.attachments = text, blocks, attachments
        self.unfurl_links, self.unfurl_media = unfurl_links, unfurl_media
        self.timeout, self.proxy = timeout, proxy

    def notify(self, context: Any) -> None:
        """Post it; raise AirflowException where Slack does not answer "ok"."""
        message = {
            "text": self.text,
            "blocks": self.blocks,
            "attachments": self.attachments,
            "unfurl_links": self.unfurl_links,
            "unfurl_media": self.unfurl_media,
        }
        body = {name: value for name, value in message.items() if value not in (None, "")}
        url = slack_webhook_url(Connection.get(self.slack_webhook_conn_id))
        HttpHook("POST").send(url, json=body, timeout=self.timeout or 30.0, proxy=self.proxy, name="the Slack webhook")


class HttpNotifier(BaseNotifier):
    """Send a request to `endpoint` of connection `http_conn_id` when called back; `json` or `data` is its body."""

    template_fields: Sequence[str] = ("http_conn_id", "endpoint", "headers", "data", "json")

    def __init__(
        self,
        *,
        http_conn_id: str = "http_default",
        endpoint: str | None = None,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        json: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.http_conn_id, self.endpoint, self.method = http_conn_id, endpoint, method
        self.headers, self.data, self.json = headers, data, json

    def notify(self, context: Any) -> None:
        """Send it; raise AirflowException for an answer that is an error."""
        HttpHook(self.method, self.http_conn_id).run(self.endpoint, self.data, dict(self.headers or {}), json=self.json)


def slack_webhook_url(connection: Connection) -> str:
    """Return the URL of an incoming webhook; raise AirflowException for a connection that has none."""
    secret, host = connection.password or "", connection.host or ""
    if "://" in secret:
        return secret
    if not secret and not host:
        raise AirflowException(
            f"connection {connection.conn_id!r} has no webhook: give it the whole URL as its password, or the host and "
            "the token behind it"
        )
    scheme, _, rest = host.rpartition("://")
    port = f":{connection.port}" if connection.port else ""
    base = f"{scheme or connection.schema or 'https'}://{rest or 'hooks.slack.com/services'}{port}"
    return f"{base.rstrip('/')}/{secret.lstrip('/')}" if secret else base


def send_smtp_notification(**kwargs: Any) -> SmtpNotifier:
    """Return a SmtpNotifier, under the name Airflow has for it."""
    return SmtpNotifier(**kwargs)


def send_slack_webhook_notification(**kwargs: Any) -> SlackWebhookNotifier:
    """Return a SlackWebhookNotifier, under the name Airflow has for it."""
    return SlackWebhookNotifier(**kwargs)
