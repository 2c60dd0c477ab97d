"""Every call that only Linux has: pidfd, prctl and /proc. Elsewhere each does less, as its docstring says."""

import ctypes
import errno
import os
import resource
import select
import signal
import sys
from dataclasses import dataclass

IS_LINUX = sys.platform == "linux"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_PROC_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""What reading /proc raises for a process that ended meanwhile, or that is not ours to read."""


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """What /proc/pid/stat says of a process: its name (at most 15 bytes), state letter and session id."""

    name: str
    state: str
    session: int


def become_subreaper() -> bool:
    """Let orphaned descendants become children of this process; False where the system cannot do that."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(is_wanted: bool = True) -> bool:
    """Ask for SIGKILL at the parent's death, or take that back; False where the system cannot do that."""
    return _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL if is_wanted else 0)


def name_process(name: str) -> bool:
    """Set the name that ps shows and that forked (not exec'd) descendants inherit; False where that cannot be done."""
    # Not prctl: by ctypes it would touch many more pages of memory of a process that has just been forked.
    try:
        comm = os.open("/proc/self/comm", os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(comm, name.encode()[:15])
    finally:
        os.close(comm)
    return True


def open_exit_watch(pid: int) -> int | None:
    """Return a descriptor that turns readable when the process ends; None where there are no pidfds, or none is left.

    The process must not have been waited for: else its number may be another's by now.
    """
    if sys.platform == "linux":
        try:
            return os.pidfd_open(pid)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOSYS):
                raise
    return None


def has_ended(pid: int, exit_watch: int | None) -> bool:
    """Say whether the process has ended; without an exit watch, a child is reaped by the asking."""
    if exit_watch is None:
        return _has_ended_portably(pid)
    poll = select.poll()
    poll.register(exit_watch, select.POLLIN)
    return bool(poll.poll(0))


def reap(pid: int) -> tuple[int, resource.struct_rusage]:
    """Reap an ended child; return its wait status and usage. Raise ChildProcessError where it is no child of ours."""
    return _REAPED.pop(pid, None) or os.wait4(pid, 0)[1:]


def own_children() -> list[int]:
    """Return the children of this single-threaded process, dead and unwaited ones included; elsewhere nothing."""
    return _numbers("/proc/thread-self/children") if IS_LINUX else []


def children_of(pid: int) -> list[int]:
    """Return the children that any thread of the process started; nothing where it has ended or there is no /proc."""
    if not IS_LINUX:
        return []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except _PROC_GONE:
        return []
    return [child for thread in threads for child in _numbers(f"/proc/{pid}/task/{thread}/children")]


def stat_of(pid: int) -> ProcessStat | None:
    """Return what /proc says of the process, None where it has ended or there is no /proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except _PROC_GONE:
        return None
    # The name stands in brackets and may itself hold brackets and blanks: the last bracket ends it.
    name, _, rest = text.partition(b"(")[2].rpartition(b")")
    state, _parent, _group, session = rest.split()[:4]
    return ProcessStat(name.decode(errors="replace"), state.decode(), int(session))


def environment_value(pid: int, name: str) -> str | None:
    """Return a variable of the environment the process was exec'd with, None where it has none or cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            block = file.read()
    except _PROC_GONE:
        return None
    start = name.encode() + b"="
    for variable in block.split(b"\0"):
        if variable.startswith(start):
            return variable[len(start) :].decode(errors="surrogateescape")
    return None


def thread_count() -> int:
    """Return how many threads the kernel sees in this process, those of C libraries included; elsewhere 1."""
    return len(os.listdir("/proc/self/task")) if IS_LINUX else 1


def _has_ended_portably(pid: int) -> bool:
    if pid in _REAPED:
        return True
    try:
        reaped, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        stat = stat_of(pid)
        return stat is None or stat.state in "ZX"
    if reaped:
        _REAPED[pid] = status, usage
    return bool(reaped)


def _numbers(path: str) -> list[int]:
    try:
        with open(path, "rb", buffering=0) as file:
            return [int(word) for word in file.readall().split()]
    except _PROC_GONE:
        return []


def _prctl(option: int, value: int) -> bool:
    if not IS_LINUX:
        return False
    zero = ctypes.c_ulong(0)
    return int(_LIBC.prctl(option, ctypes.c_ulong(value), zero, zero, zero)) == 0


_LIBC = ctypes.CDLL(None)

_REAPED: dict[int, tuple[int, resource.struct_rusage]] = {}
"""Without pidfds: what has_ended() had to reap to find out."""
