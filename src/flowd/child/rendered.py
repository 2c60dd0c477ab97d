"""Reporting a task's rendered fields, for people to see what it really ran with."""

from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.plain_json import plain_json
from flowd.sdk.secret_values import redacted
from flowd.sdk.supervisor import ask

LIMIT_CHARACTERS = 64 * 1024
"""Longer text is cut, and says so."""


def report_rendered(task: BaseOperator) -> None:
    """Send the values of the task's template fields, unless they are all empty; secrets are masked."""
    fields = {field: redacted(_shown(getattr(task, field)), field) for field in task.template_fields}
    if any(fields.values()):
        ask("rendered", fields=fields)


def _shown(value: object) -> object:
    shown = plain_json(value)
    text = shown if isinstance(shown, str) else repr(shown)
    if len(text) <= LIMIT_CHARACTERS:
        return shown
    return f"{text[:LIMIT_CHARACTERS]}… (cut: {len(text)} characters)"
