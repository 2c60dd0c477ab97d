"""EmailOperator, SmtpNotifier and send_email, with a real mail server."""

from pathlib import Path
from typing import Any

import pytest

from flowd import DAG
from flowd.operators.services.email import EmailOperator
from flowd.operators.services.notifiers import SmtpNotifier, send_smtp_notification
from flowd.sdk.exceptions import AirflowException, AirflowNotFoundException
from flowd.sdk.mail import addresses, send_email
from flowd.sdk.smtp import SmtpServer
from tests.operators.running import context_for, execute
from tests.operators.services.conftest import Connect
from tests.support.smtp_server import REFUSED, Mailbox, a_mail_server


def email(**keywords: Any) -> EmailOperator:
    given: dict[str, Any] = {"to": "a@example.com", "subject": "s", "html_content": "<b>h</b>", **keywords}
    with DAG("etl"):
        return EmailOperator(task_id="mail", **given)


def test_a_mail_goes_to_all_with_its_text_and_files(mailbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n")

    execute(
        email(
            to="a@example.com; b@example.com",
            cc=["c@example.com"],
            bcc="d@example.com",
            subject="Rows of {{ run_id }}",
            files=[str(tmp_path / "rows.csv")],
        )
    )

    (message,) = mailbox.messages
    assert mailbox.recipients == [["a@example.com", "b@example.com", "c@example.com", "d@example.com"]]
    assert (message["Subject"], message["From"], message["Cc"]) == (
        "Rows of manual__1",
        "flowd@example.com",
        "c@example.com",
    )
    assert message["Bcc"] is None
    (attachment,) = message.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content().strip()) == ("rows.csv", "a,b")
    body = message.get_body(("html",))
    assert body is not None and body.get_content().strip() == "<b>h</b>"
    plain = message.get_body(("plain",))
    assert plain is not None and plain.get_content().strip() == "h"


def test_a_header_cannot_be_smuggled_in(mailbox: Mailbox) -> None:
    execute(email(subject="first\nBcc: eve@example.com"))

    assert mailbox.messages[0]["Subject"] == "first Bcc: eve@example.com"
    assert mailbox.recipients == [["a@example.com"]]


def test_a_server_that_refuses_fails_the_task_with_its_answer(mailbox: Mailbox) -> None:
    with pytest.raises(AirflowException, match=r"mail was not sent over 127\.0\.0\.1:\d+: .*no such box"):
        execute(email(to=REFUSED))
    with pytest.raises(AirflowException, match="mail has no recipient"):
        execute(email(to=" , "))


def test_without_a_server_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowNotFoundException, match="make connection 'smtp_default' of type smtp, or set AIR"):
        execute(email())
    with pytest.raises(AirflowNotFoundException, match="make connection 'other'"):
        execute(email(conn_id="other"))


def test_airflows_variables_name_the_server_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_mail_server() as box:
        for name, value in {
            "HOST": "127.0.0.1", "PORT": str(box.port), "STARTTLS": "False", "USER": "me", "PASSWORD": "p w",
            "MAIL_FROM": "team@example.com",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"AIRFLOW__SMTP__SMTP_{name}", value)
        execute(email())

    assert box.logins == [("me", "p w")]
    assert box.messages[0]["From"] == "team@example.com"


def test_a_dry_run_finds_the_server_and_says_nothing_to_it(mailbox: Mailbox) -> None:
    send_email(["a@example.com"], "s", "h", dryrun=True)

    assert mailbox.messages == []


@pytest.mark.parametrize(
    ("extra", "port", "tls", "starttls"),
    [({}, 465, True, True), ({"disable_ssl": True}, 25, False, True), ({"disable_ssl": "true"}, 25, False, True),
     ({"disable_ssl": True, "disable_tls": True}, 25, False, False)],
)  # fmt: skip
def test_a_connection_says_how_the_server_is_spoken_to(
    connect: Connect, extra: dict[str, Any], port: int, tls: bool, starttls: bool
) -> None:
    connect("m", conn_type="smtp", host="h", extra=extra)

    found = SmtpServer.find("m")

    assert (found.port, found.has_tls, found.has_starttls) == (port, tls, starttls)


def test_addresses_are_a_list_or_a_text() -> None:
    assert addresses("a@x, b@x;c@x") == addresses(["a@x ", "b@x", "c@x"]) == ["a@x", "b@x", "c@x"]
    assert addresses(None) == []


def test_a_notifier_says_which_task_and_its_state(mailbox: Mailbox) -> None:
    task = email()
    context = context_for(task)
    context["exception"] = ValueError("1 < 2")

    SmtpNotifier(to="a@example.com")(context)
    send_smtp_notification(to="a@example.com", subject="{{ dag.dag_id }}", html_content="x")(context)

    assert [one["Subject"] for one in mailbox.messages] == ["flowd: etl.mail: running (manual__1)", "etl"]
    body = mailbox.messages[0].get_body(("html",))
    assert body is not None and "<pre>1 &lt; 2</pre>" in body.get_content()
