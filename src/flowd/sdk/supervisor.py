"""Supervisor: whom a task process asks for variables, connections and XComs. It holds no credentials itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from flowd.domain.secret_names import BACKEND_VARIABLE
from flowd.sdk.exceptions import AirflowException


class Supervisor(Protocol):
    """The other end of the task's channel; the operations are those of the child protocol."""

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """Ask, wait for the answer and return it."""
        ...


class NoSupervisor(AirflowException):
    """A variable, connection or XCom was asked for where nobody can answer: in no task and no DAG parse."""


# One per process and not per thread: a task's own threads may ask too.
_supervisors: list[Supervisor] = []


@contextmanager
def supervised_by(supervisor: Supervisor) -> Iterator[None]:
    """Let `ask` go to `supervisor` within the block."""
    _supervisors.append(supervisor)
    try:
        yield
    finally:
        _supervisors.pop()


def has_backends() -> bool:
    """Return whether whom `ask` asks looks into secret backends, which come before this process's environment."""
    return bool(_supervisors) and BACKEND_VARIABLE in os.environ


def ask(op: str, **fields: Any) -> dict[str, Any]:
    """Return the supervisor's answer; raise NoSupervisor where there is none."""
    if not _supervisors:
        raise NoSupervisor(f"{op} needs a running task; at the top of a DAG file use a template or ask within the task")
    return _supervisors[-1].request(op, **fields)
