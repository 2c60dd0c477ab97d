"""WorkerHome: a folder that one living worker process owns, with what it leaves to the next one."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

IDENTITY = "identity.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What a dead process left in its folder, and the name under which it held leases.

    `owner` is None where there was none, or where it ran on another host: then nothing is known of its end.
    `is_same_boot` is true where processes that it started may still live.
    """

    folder: Path
    owner: str | None
    is_same_boot: bool

    def settle(self) -> None:
        """Note that all of its owner's tries have been seen to; what another host left is for that host to see to."""
        if self.owner is not None:
            (self.folder / IDENTITY).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHome:
    """The folder, the name under which this process holds leases, and what the dead process before it left there."""

    folder: Path
    name: str
    estate: Estate


def homes_of(folder: Path, roles: Collection[str]) -> Path:
    """Return where a node with these roles finds its folder.

    Workers keep apart: one must come upon the spool of its dead predecessor again, whatever else starts before it.
    """
    return folder / ("workers" if "worker" in roles else "nodes")


@contextmanager
def worker_home(parent: Path, worker: str) -> Iterator[WorkerHome]:
    """Own the first folder below `parent` that no living process owns, for the length of the context."""
    file, folder = _first_free(parent)
    try:
        host = socket.gethostname()
        estate = _estate(folder)
        # Random, for in containers every process has the same id: whoever shares a name gives back what the other runs.
        name = f"{worker or host}/{os.getpid()}-{secrets.token_hex(8)}"
        (folder / IDENTITY).write_text(json.dumps({"name": name, "host": host, "boot": boot_id()}))
        yield WorkerHome(folder=folder, name=name, estate=estate)
    finally:
        os.close(file)


@contextmanager
def abandoned(home: WorkerHome) -> Iterator[list[Estate]]:
    """Own, for the length of the context, every folder beside this one that a dead process has left and nobody took."""
    with ExitStack() as owned:
        estates: list[Estate] = []
        for folder in sorted(home.folder.parent.iterdir()):
            if folder == home.folder or not (folder / IDENTITY).exists():
                continue
            file = _lock(folder)
            if file is not None:
                owned.callback(os.close, file)
                estates.append(_estate(folder))
        yield estates


def _first_free(parent: Path) -> tuple[int, Path]:
    number = 0
    while True:
        folder = parent / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        file = _lock(folder)
        if file is not None:
            return file, folder
        number += 1


def _lock(folder: Path) -> int | None:
    """Return the open lock of a folder that has no living owner: the lock goes with the process, however it ends."""
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _estate(folder: Path) -> Estate:
    before = _read(folder / IDENTITY)
    was_here = before.get("host") == socket.gethostname()
    return Estate(
        folder=folder,
        owner=before.get("name") if was_here else None,
        is_same_boot=was_here and before.get("boot") == boot_id(),
    )


def boot_id() -> str:
    """Return what tells this start of the machine from every other; the same word for all where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _read(path: Path) -> dict[str, str]:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
