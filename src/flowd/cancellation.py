"""Cancellation: what goes round until it is cancelled asks here whether it was, for a library may have kept it quiet.

`asyncio.wait_for` of Python 3.11 returns the answer, and drops the cancellation, where both come in the same moment
(https://github.com/python/cpython/issues/86296). Drivers of databases and brokers call it. A loop that went on would
never end, and whoever waits for it neither.
"""

import asyncio


class Cancellation:
    """Notices every cancellation of the current task that comes after this was made."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        # What cleans up after a cancellation has heard of that one.
        self._heard = self._task.cancelling() if self._task is not None else 0

    def heed(self) -> None:
        """Raise CancelledError if the task was cancelled meanwhile."""
        if self._task is not None and self._task.cancelling() > self._heard:
            raise asyncio.CancelledError
