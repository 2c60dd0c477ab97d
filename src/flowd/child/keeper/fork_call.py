"""Forking a Python task from the keeper itself: the bare interpreter, in which no user code was ever imported."""

import os

from flowd.child.keeper.task_entry import TaskSetup, become_session, die_with_keeper, run_task


def fork_task(setup: TaskSetup, *, stdout: int, stderr: int, channel: int) -> int:
    """Fork a task process and return its pid; raise OSError where the system refuses."""
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        die_with_keeper(keeper)
        run_task(setup, become_session(stdout, stderr, channel))
    finally:
        os._exit(1)
