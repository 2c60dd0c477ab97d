"""EmptyOperator: does nothing; a place for edges to meet."""

from typing import Any

from flowd.domain.work import NoWork, Work
from flowd.sdk.base_operator import BaseOperator

_CALLED = ("on_execute_callback", "on_success_callback")
"""What does nothing neither fails nor skips itself."""


class EmptyOperator(BaseOperator):
    """A task that succeeds at once; without callbacks the scheduler itself makes it a success."""

    ui_color = "#e8f7e4"

    def execute(self, context: Any) -> None:
        """Do nothing."""

    def plain_work(self) -> Work | None:
        """Return that there is nothing to do, unless a callback that can come about needs a process."""
        if type(self).execute is not EmptyOperator.execute or self.needs_python(_CALLED):
            return None
        return NoWork()
