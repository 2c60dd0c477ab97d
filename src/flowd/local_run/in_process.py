"""in_process: runs one try in this very process, where a debugger can follow it."""

import copy
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

from flowd.child.channel import ChannelError
from flowd.child.launch import Ended, EndedBy
from flowd.child.run_task import attempt
from flowd.domain.assignment import Assignment
from flowd.sdk.base_operator import BaseOperator
from flowd.sdk.supervisor import supervised_by

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]

_LEFT_BY_ITS_USER = {"KeyboardInterrupt", "BdbQuit"}


class LocalChannel:
    """A task's channel without a socket: what a task asks is answered by a call. Values pass as JSON all the same."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.result: dict[str, Any] = {}

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Return the answer; raise ChannelError with the reason of a refusal, TypeError where a field is not JSON."""
        frame = json.loads(json.dumps({"op": op, **fields}))
        try:
            answer = self._answer(frame)
        except Exception as error:
            raise ChannelError(f"{op}: {type(error).__name__}: {error}") from error
        reply: dict[str, Any] = json.loads(json.dumps(answer))
        return reply

    def send_result(self, document: dict[str, Any]) -> None:
        """Keep the result."""
        self.result = json.loads(json.dumps(document))


def run_in_process(assignment: Assignment, task: BaseOperator, answer: Answer) -> Ended:
    """Run the try and return how it ended, as a keeper tells it of a process.

    The operator is copied first: templates are rendered in place. Raises KeyboardInterrupt where its user leaves it by
    Ctrl-C or quits the debugger.
    """
    channel = LocalChannel(answer)
    exit_code: int | None = 0
    with supervised_by(channel), _limited(assignment.execution_timeout):
        try:
            attempt(channel, assignment, copy.copy(task), time.monotonic())
        except SystemExit as ended:
            exit_code = ended.code if isinstance(ended.code, int) else 1
    sys.stdout.flush()
    if (channel.result.get("error") or {}).get("type") in _LEFT_BY_ITS_USER:
        raise KeyboardInterrupt
    return Ended(by=EndedBy.EXIT, exit_code=exit_code, result=channel.result or None)


@contextmanager
def _limited(timeout: timedelta | None) -> Iterator[None]:
    """Send the process the SIGTERM that a keeper would send when the time is up."""
    if timeout is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, timeout.total_seconds())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _time_is_up(number: int, frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)
