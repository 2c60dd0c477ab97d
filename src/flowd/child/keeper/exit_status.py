"""Exit: how one process ended and what it used, from whoever was its parent."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowd.child.keeper.linux import reap

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a process and of the children it waited for. A forked process's peak RSS counts inherited pages."""

    exit_code: int | None
    signal: int | None
    cpu_seconds: float
    peak_rss_bytes: int


NOTHING_KNOWN = Exit(None, None, 0.0, 0)
"""Of a process that never was, or whose parent died after it had reaped it and before it told."""


def reap_own(pid: int) -> Exit:
    """Reap an ended child of this process."""
    try:
        status, usage = reap(pid)
    except ChildProcessError:
        return NOTHING_KNOWN
    return _exit(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def from_answer(answer: Mapping[str, Any]) -> Exit:
    """Return the end as a fork server tells it."""
    return NOTHING_KNOWN if "error" in answer else _exit(answer["status"], answer["cpu"], answer["rss"])


def _exit(status: int, cpu_seconds: float, max_rss: int) -> Exit:
    is_signalled = os.WIFSIGNALED(status)
    return Exit(
        exit_code=None if is_signalled else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if is_signalled else None,
        cpu_seconds=cpu_seconds,
        peak_rss_bytes=max_rss * _RSS_UNIT,
    )
