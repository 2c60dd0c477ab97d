"""Killing whole process trees."""

import os
import signal
from collections.abc import Iterable

from flowd.child.keeper import linux

_ROUNDS = 20
"""How often to look for new descendants before killing: one is enough unless the tree forks as fast as we look."""


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send the signal to the process group; a group that is gone, or not ours, is left alone."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        pass


def terminate_group(leader: int) -> None:
    """Ask the process group to end: SIGTERM, and SIGCONT for those that are stopped and could not hear it."""
    signal_group(leader, signal.SIGTERM)
    signal_group(leader, signal.SIGCONT)


def kill_trees(roots: Iterable[int]) -> None:
    """SIGKILL these processes and all that descend from them, those in other sessions included.

    All are stopped before the first is killed: a running one could fork between being listed and being killed, and its
    child, once orphaned, would no longer be found below the roots.
    """
    stopped: set[int] = set()
    level = set(roots)
    for _ in range(_ROUNDS):
        news = _with_descendants(level) - stopped
        if not news:
            break
        for pid in news:
            _signal(pid, signal.SIGSTOP)
        stopped |= news
    for pid in stopped:
        _signal(pid, signal.SIGKILL)


def kill_everything_below() -> bool:
    """SIGKILL and reap every descendant of this process; say whether none is left now."""
    children = [pid for pid in linux.own_children() if not reap_if_dead(pid)]
    kill_trees(children)
    return not children


def reap_if_dead(pid: int) -> bool:
    """Reap a child of this process if it is dead; say whether it is gone."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _with_descendants(roots: set[int]) -> set[int]:
    found: set[int] = set()
    unseen = list(roots)
    while unseen:
        pid = unseen.pop()
        if pid not in found:
            found.add(pid)
            unseen.extend(linux.children_of(pid))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
