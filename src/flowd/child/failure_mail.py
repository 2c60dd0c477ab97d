"""The mail that a task's `email` asks for when it fails, or is to be tried again."""

from collections.abc import Mapping
from typing import Any

from flowd.sdk.base_operator import BaseOperator


def mail_failure(task: BaseOperator, context: Mapping[str, Any], *, is_retried: bool) -> None:
    """Send it where the task wants one; a mail that cannot be sent is logged, and changes nothing else."""
    if not (task.email_on_retry if is_retried else task.email_on_failure):
        return
    from flowd.sdk.mail import failure_mail, send_email  # smtplib and ssl, in each task's memory for one in many

    try:
        subject, content = failure_mail(context, is_retried=is_retried)
        send_email(task.email or (), subject, content)
    except Exception:
        task.log.exception("the mail about the failure was not sent")
