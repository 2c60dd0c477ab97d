"""RelayedProcess: a command below a task, in a process group of its own, whose output goes into the task's log."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

HEARD_SECONDS = 2.0
"""How long a command that was told to end is listened to, before the task goes on to its own end."""


class RelayedProcess:
    """One command. It is told to end with all that it started, by `end` or by whatever cuts `relay` short."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: str | None = None) -> None:
        """Start it; OSError where the program or `cwd` is not there."""
        # A group of its own, so that `end` reaches what the command started.
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env=env, process_group=0
        )

    def relay(self, hear: Callable[[bytes], object]) -> int:
        """Give each line of the output to `hear`; return the exit code, for a signal 128 and its number."""
        try:
            self._hear_all(hear)
            exit_code = self._process.wait()
        except Exception:
            # Who hears has failed, and would fail again.
            self.end()
            raise
        except BaseException:
            # The pipe stays open: a command that says how it cleans up would else die of saying it.
            self.end()
            rest = threading.Thread(target=self._hear_all, args=(hear,), daemon=True)
            rest.start()
            rest.join(HEARD_SECONDS)
            raise
        return 128 - exit_code if exit_code < 0 else exit_code

    def end(self) -> None:
        """Send SIGTERM to the command and to what it started, if it still runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)

    def _hear_all(self, hear: Callable[[bytes], object]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            hear(line)
        self._process.stdout.close()
