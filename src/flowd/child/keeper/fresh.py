"""The first code of a task that wants an interpreter of its own (`start_method = "spawn"`)."""

import os
import sys
from typing import NoReturn

from flowd.child.keeper.task_entry import CHANNEL, die_with_keeper, renew_standard_streams, run_task
from flowd.child.keeper.task_setup import read_setup


def startup_code() -> str:
    """Return the program for a new interpreter; it finds modules where this one does, whatever its environment."""
    return (
        f"import sys; sys.path.extend(p for p in {sys.path!r} if p not in sys.path); "
        f"from flowd.child.keeper.fresh import main; main({os.getpid()})"
    )


def main(keeper_pid: int) -> NoReturn:
    """Become the task that the frame on descriptor 3 tells of."""
    die_with_keeper(keeper_pid)
    os.set_inheritable(CHANNEL, False)
    renew_standard_streams()
    run_task(read_setup(CHANNEL))
