"""Killing what a dead worker left running, found by the claim token in each process's environment."""

import os
from collections.abc import Collection

from flowd.child.keeper.linux import environment_value
from flowd.child.keeper.tree import kill_trees

MARK = "FLOWD_CLAIM_TOKEN"


def kill_marked(tokens: Collection[str]) -> int:
    """SIGKILL every process of this machine that runs under one of these tokens, with its tree; return how many.

    Without /proc nothing is found, and nothing is killed: the lease has to do.
    """
    found = [pid for pid in _all_processes() if environment_value(pid, MARK) in tokens]
    kill_trees(found)
    return len(found)


def _all_processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]
    except FileNotFoundError:
        return []
