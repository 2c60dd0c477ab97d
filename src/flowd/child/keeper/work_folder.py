"""WorkFolders: an empty folder for each task that names none, removed at its end."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator

from flowd.child.keeper.exit_watch import ExitWatch
from flowd.child.keeper.linux import reap
from flowd.child.keeper.process_table import ProcessTable
from flowd.child.keeper.reactor import Reactor

_MODE = 0o700
_PREFIX = "flowd-keeper-"

_SETTLED_SECONDS = 60.0
"""A younger folder may belong to a keeper that has yet to lock it."""


class WorkFolders:
    """Makes folders below one temporary folder of the keeper, which is locked as long as the keeper lives."""

    def __init__(self, reactor: Reactor, table: ProcessTable) -> None:
        self._reactor = reactor
        self._table = table
        self._empty: list[str] = []
        self._remove_program = shutil.which("rm") or "/bin/rm"
        self._base = tempfile.mkdtemp(prefix=_PREFIX)
        # A task of another user has a folder of its own below, which it is to reach by its path; nobody can list them.
        os.chmod(self._base, 0o711)
        self._lock = _lock(self._base)
        for folder in _abandoned():
            self._remove(folder)

    def lend(self, attempt_id: int) -> str:
        """Return an empty folder; raise OSError where it cannot be made."""
        if self._empty:
            return self._empty.pop()
        folder = f"{self._base}/{attempt_id}"
        os.mkdir(folder, _MODE)
        return folder

    def take_back(self, folder: str) -> None:
        """Remove the folder; one that was left empty and as it was made is lent again, which costs less."""
        try:
            status = os.lstat(folder)
            is_as_made = stat.S_IMODE(status.st_mode) == _MODE and status.st_uid == os.geteuid()
            if is_as_made and not os.listdir(folder):
                self._empty.append(folder)
                return
        except FileNotFoundError:
            return
        except OSError:
            pass
        self._remove(folder)

    def close(self) -> None:
        """Remove all folders, in a process that outlives this one if it has to."""
        if self._lock is not None:
            os.close(self._lock)
        self._spawn_remover(self._base)

    def _remove(self, folder: str) -> None:
        # In a process: the folder may hold very much.
        try:
            pid = self._spawn_remover(folder)
        except OSError:
            return
        self._table.add_helper(pid)
        ExitWatch(self._reactor, pid, lambda: self._removed(pid))

    def _spawn_remover(self, folder: str) -> int:
        return os.posix_spawn(self._remove_program, ["rm", "-rf", "--", folder], {}, setsid=True, setsigdef=[])

    def _removed(self, pid: int) -> None:
        self._table.remove_helper(pid)
        reap(pid)


def _lock(folder: str) -> int | None:
    """Lock the folder; return the descriptor that holds the lock, None where another process holds it."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def _abandoned() -> Iterator[str]:
    """Yield the folders of this user's keepers that were killed before they could remove them."""
    with os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if not entry.name.startswith(_PREFIX):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
                is_settled = time.time() - status.st_mtime > _SETTLED_SECONDS
                lock = _lock(entry.path) if status.st_uid == os.geteuid() and is_settled else None
            except OSError:
                continue
            if lock is not None:
                os.close(lock)
                yield entry.path
