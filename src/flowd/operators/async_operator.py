"""BaseAsyncOperator: a task whose work is a coroutine."""

from asyncio import run
from typing import Any

from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.context import Context


class BaseAsyncOperator(BaseOperator):
    """An operator whose subclass defines `aexecute`."""

    async def aexecute(self, context: Context) -> Any:
        """Do the work, and return the XCom."""
        raise NotImplementedError(f"{type(self).__name__} must define aexecute(self, context)")

    def execute(self, context: Context) -> Any:
        """Run `aexecute` in an event loop of the task's own."""
        return run(self.aexecute(context))
