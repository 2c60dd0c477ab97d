"""WorkFolders: an empty folder for each task that names none, removed at its end."""

import os
import shutil
import stat
import tempfile

from flowd.child.keeper.exit_watch import ExitWatch
from flowd.child.keeper.linux import reap
from flowd.child.keeper.process_table import ProcessTable
from flowd.child.keeper.reactor import Reactor

_MODE = 0o700


class WorkFolders:
    """Makes folders below one temporary folder of the keeper."""

    def __init__(self, reactor: Reactor, table: ProcessTable) -> None:
        self._reactor = reactor
        self._table = table
        self._empty: list[str] = []
        self._base = tempfile.mkdtemp(prefix="flowd-")
        self._remove_program = shutil.which("rm") or "/bin/rm"

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
            if not os.listdir(folder) and stat.S_IMODE(os.lstat(folder).st_mode) == _MODE:
                self._empty.append(folder)
                return
        except FileNotFoundError:
            return
        except OSError:
            pass
        self._remove(folder)

    def close(self) -> None:
        """Remove all folders, in a process that outlives this one if it has to."""
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
