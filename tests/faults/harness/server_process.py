"""ServerProcess: a private server that a scenario may stop, kill, freeze and start again."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench.cluster.free_port import free_port
from tests.support.node_process import eventually

START_SECONDS = 300.0
STOP_SECONDS = 120.0


class ServerMissing(Exception):
    """The server's program is not installed on this machine."""


class ServerProcess(ABC):
    """One server with its own port and its own data in `folder`, which outlive its process.

    `user` owns the data and the process where the tests run as root.
    """

    name: str
    user: str | None = None
    farewell = signal.SIGTERM
    """Asks it to end in good order; also what it gets when the tests die."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._log_begins = 0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self.own(self.folder)
        self.prepare()
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @abstractmethod
    def prepare(self) -> None:
        """Make the data that the server starts with."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return what starts it in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it serves its protocol, and not only listens."""

    def environment(self) -> Mapping[str, str]:
        """Return what it is started with."""
        return os.environ

    @property
    def is_running(self) -> bool:
        """True from its start until its process has ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> str:
        """What it has said since its last start."""
        with open(self.folder / "server.log", "rb") as file:
            file.seek(self._log_begins)
            return file.read().decode(errors="replace")

    def start(self) -> Self:
        """Start it on its data and return when it answers."""
        with open(self.folder / "server.log", "ab") as log:
            self._log_begins = log.tell()
            self.process = subprocess.Popen(
                # The tests may be killed at any moment: no server of theirs is left behind.
                ["setpriv", "--pdeathsig", self.farewell.name.removeprefix("SIG"), *self.command()],
                env=self.environment(),
                user=self.account,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = self.process
        eventually(lambda: process.poll() is not None or self.answers(), f"{self.name} to answer", START_SECONDS)
        assert process.poll() is None, f"{self.name} ended at once:\n{self.log[-3000:]}"
        return self

    def stop(self) -> None:
        """End it in good order."""
        assert self.process is not None
        self.process.send_signal(self.farewell)
        self.process.wait(STOP_SECONDS)

    def restart(self) -> None:
        """Stop it and start it again on its data."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL it with all that it has started."""
        family = self._family()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            self.process.wait(STOP_SECONDS)
        psutil.wait_procs(family, STOP_SECONDS)

    def pause(self) -> None:
        """SIGSTOP it: its connections stay open and nobody answers."""
        for process in self._family():
            process.suspend()

    def resume(self) -> None:
        """Let it go on, where it was paused."""
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def listens(self) -> bool:
        """Return whether something accepts connections at its port."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def run(self, command: Sequence[str]) -> str:
        """Run a command of the server's as its user, and return what it prints."""
        done = subprocess.run(
            command,
            env=self.environment(),
            user=self.account,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def own(self, path: Path) -> None:
        """Give a file or folder to the server's user."""
        if self.account is not None:
            shutil.chown(path, self.account)

    @property
    def account(self) -> str | None:
        """The user to become: none where the tests are not root and cannot, or the server needs none."""
        return self.user if os.geteuid() == 0 else None

    def _family(self) -> list[psutil.Process]:
        if not self.is_running or self.process is None:
            return []
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]


def program(name: str, *folders: str, user: str | None = None) -> str:
    """Return the path of a server's program, looked for in PATH and then in `folders` (globs, the last match wins)."""
    places = [str(place) for folder in folders for place in sorted(Path("/").glob(f"{folder.lstrip('/')}/{name}"))]
    found = places[-1] if places else shutil.which(name)
    if found is None:
        raise ServerMissing(f"{name} is not installed here; `make services` as root on Debian installs it")
    if user is not None and os.geteuid() == 0:
        try:
            pwd.getpwnam(user)
        except KeyError as error:
            raise ServerMissing(f"{name} must not run as root, and there is no user {user} to run it") from error
    return found
