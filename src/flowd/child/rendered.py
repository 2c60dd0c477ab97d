"""Reporting a task's rendered fields, for people to see what it really ran with."""

from flowd.child.map_index import map_index_if_rendered
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context
from flowd.sdk.plain_json import plain_json
from flowd.sdk.secret_values import redacted
from flowd.sdk.supervisor import ask

LIMIT_CHARACTERS = 64 * 1024
"""Longer text is cut, and says so."""


def report_rendered(task: BaseOperator, context: Context) -> None:
    """Send the values of the task's template fields and the name of its map index; secrets are masked.

    Nothing is sent where the fields are all empty and there is no name; it may come to another once it has executed.
    """
    fields = {field: redacted(_shown(getattr(task, field)), field) for field in task.template_fields}
    name = map_index_if_rendered(task, context)
    if any(fields.values()) or name is not None:
        ask("rendered", fields=fields, rendered_map_index=name)


def _shown(value: object) -> object:
    shown = plain_json(value)
    text = shown if isinstance(shown, str) else repr(shown)
    if len(text) <= LIMIT_CHARACTERS:
        return shown
    return f"{text[:LIMIT_CHARACTERS]}… (cut: {len(text)} characters)"
