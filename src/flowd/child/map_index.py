"""The name of a map index: what the author's `map_index_template` makes of the context of the task."""

from contextlib import suppress

import jinja2

from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context
from flowd.sdk.exceptions import AirflowException
from flowd.sdk.secret_values import masked
from flowd.sdk.templates import Renderer

MOST_CHARACTERS = 250
"""Longer names are cut: so many are kept, as in Airflow."""


def rendered_map_index(task: BaseOperator, context: Context) -> str | None:
    """Return the name, with secrets masked; None without a template, and where it comes to nothing.

    Raises AirflowException where it cannot be rendered: after a task has executed, that is the task's failure, as in
    Airflow.
    """
    if task.map_index_template is None:
        return None
    # A text, also where the fields of the DAG's tasks are rendered to Python's objects.
    renderer = Renderer(task.dag, context, is_native=False)
    try:
        text = str(renderer.render(task.map_index_template))
    except (jinja2.TemplateError, LookupError) as error:
        found = f"{type(error).__name__}: {error}"
        raise AirflowException(f"task {task.task_id!r}, map_index_template: {found}") from error
    return masked(text)[:MOST_CHARACTERS] or None


def map_index_if_rendered(task: BaseOperator, context: Context) -> str | None:
    """Return the name, or None where it cannot be rendered: before the task has executed, or after it failed.

    Then the template may name what only the task itself puts into the context.
    """
    with suppress(Exception):
        return rendered_map_index(task, context)
    return None
