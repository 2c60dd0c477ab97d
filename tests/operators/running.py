"""Executing an operator in the context of a try, without a process."""

from collections.abc import Mapping
from typing import Any

from flowd.domain.assignment import RunContext
from flowd.domain.ids import TaskId
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context, context_of, executing_in
from flowd.sdk.supervisor import supervised_by
from tests.support.specs import an_assignment
from tests.support.task_server import TaskServer


def context_for(task: BaseOperator, run: RunContext | None = None) -> Context:
    """The context of the first try of `task`."""
    fields: Mapping[str, Any] = {"run": run} if run else {}
    return context_of(an_assignment(task_id=TaskId(task.task_id), **fields), task)


def execute(task: BaseOperator, context: Context | None = None, server: TaskServer | None = None) -> Any:
    """Render and execute `task`; what it asks is answered by `server`."""
    context = context or context_for(task)
    with supervised_by(server or TaskServer()), executing_in(context):
        task.render_template_fields(context)
        return task.execute(context)
