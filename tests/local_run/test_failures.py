"""What follows a failure: mail over a real server, and what a retry policy decides."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from flowd import DAG, BashOperator, PythonOperator
from flowd.sdk.connection import Connection
from flowd.sdk.retry_policy import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryPolicy, RetryRule
from tests.support.smtp_server import Mailbox, a_mail_server


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """What the server of `smtp_default` is given."""
    with a_mail_server() as box:
        extra = {"disable_ssl": True, "disable_tls": True}
        connection = Connection(conn_type="smtp", host="127.0.0.1", port=box.port, extra=extra)
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", connection.as_json())
        yield box


def breaks() -> None:
    raise ValueError("no <rows>")


def tried(**keywords: Any) -> tuple[str, int]:
    with DAG("etl") as dag:
        PythonOperator(task_id="breaks", python_callable=breaks, retries=2, **keywords)
    (one,) = dag.test().tasks
    return one.state.value, one.try_number


def test_mail_is_sent_when_a_task_is_tried_again_and_when_it_fails(mailbox: Mailbox) -> None:
    assert tried(email="a@example.com, b@example.com") == ("failed", 3)

    subjects = [str(one["Subject"]).strip() for one in mailbox.messages]
    assert [text.partition(" (")[0] for text in subjects] == [
        "flowd: etl.breaks will be tried again",
        "flowd: etl.breaks will be tried again",
        "flowd: etl.breaks failed",
    ]
    body = mailbox.messages[-1].get_body(("html",))
    assert body is not None
    assert "<td>ValueError: no &lt;rows&gt;</td>" in body.get_content()
    assert "/tasks/breaks?try_number=3" in body.get_content()
    assert mailbox.recipients[0] == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize(
    ("keywords", "count"),
    [({"email_on_retry": False}, 1), ({"email_on_failure": False}, 2), ({"email": None}, 0)],
)
def test_mail_is_sent_only_where_it_is_wanted(mailbox: Mailbox, keywords: dict[str, Any], count: int) -> None:
    tried(**{"email": ["a@example.com"], **keywords})

    assert len(mailbox.messages) == count


def test_a_bash_task_sends_mail_too(mailbox: Mailbox) -> None:
    with DAG("etl", default_args={"email": "a@example.com"}) as dag:
        BashOperator(task_id="leave", bash_command="exit 3")
        BashOperator(task_id="fine", bash_command="true")
    dag.test()

    (message,) = mailbox.messages
    assert "etl.leave failed" in message["Subject"]


def test_mail_that_cannot_be_sent_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert tried(email="a@example.com", email_on_retry=False) == ("failed", 3)

    assert "the mail about the failure was not sent" in caplog.text
    assert "make connection 'smtp_default' of type smtp" in caplog.text


class Broken(RetryPolicy):
    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        raise RuntimeError("the policy is broken")


class UpToTwo(RetryPolicy):
    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        assert (max_tries, context["ti"].task_id) == (2, "breaks")
        return RetryDecision.fail("enough") if try_number == 2 else RetryDecision.retry(timedelta(0), "once more")


@pytest.mark.parametrize(
    ("policy", "tries"),
    [
        (ExceptionRetryPolicy([RetryRule(ValueError, RetryAction.FAIL)]), 1),
        (ExceptionRetryPolicy([RetryRule(KeyError, RetryAction.FAIL)]), 3),
        (UpToTwo(), 2),
        (Broken(), 3),
    ],
)
def test_a_retry_policy_decides_whether_another_try_follows(policy: RetryPolicy, tries: int) -> None:
    assert tried(retry_policy=policy) == ("failed", tries)
