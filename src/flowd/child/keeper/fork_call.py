"""Forking a Python task from the keeper itself: the bare interpreter, in which no user code was ever imported."""

import os

from flowd.child.keeper.task_entry import become_session, die_with_keeper, renew_standard_streams, run_task
from flowd.child.keeper.task_setup import TaskSetup


def fork_task(setup: TaskSetup, *, stdout: int, stderr: int, channel: int) -> int:
    """Fork a task process and return its pid; raise OSError where the system refuses."""
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        die_with_keeper(keeper)
        become_session(stdout, stderr, channel)
        renew_standard_streams()
        run_task(setup)
    finally:
        os._exit(1)
