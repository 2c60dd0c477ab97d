"""WorkerHome: a folder that one living worker process owns, with what it leaves to the next one."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

IDENTITY = "identity.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHome:
    """The folder, the name under which this process holds leases, and that of the dead process before it.

    `predecessor` is None where there was none, or where it ran on another host: then nothing is known of its end.
    `is_same_boot` is true where processes that it started may still live.
    """

    folder: Path
    name: str
    predecessor: str | None
    is_same_boot: bool


@contextmanager
def worker_home(parent: Path, worker: str) -> Iterator[WorkerHome]:
    """Own the first folder below `parent` that no living process owns, for the length of the context."""
    file, folder = _first_free(parent)
    try:
        host = socket.gethostname()
        before = _read(folder / IDENTITY)
        # The process id keeps apart what runs at the same time, the boot id what ran before a restart of the machine.
        name = f"{worker or host}/{os.getpid()}-{boot_id()[:8]}"
        identity = {"name": name, "host": host, "boot": boot_id()}
        (folder / IDENTITY).write_text(json.dumps(identity))
        was_here = before.get("host") == host
        yield WorkerHome(
            folder=folder,
            name=name,
            predecessor=before.get("name") if was_here else None,
            is_same_boot=was_here and before.get("boot") == boot_id(),
        )
    finally:
        os.close(file)


def _first_free(parent: Path) -> tuple[int, Path]:
    number = 0
    while True:
        folder = parent / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # The lock goes with the process, however it ends: a folder that can be locked has no living owner.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            number += 1
        else:
            return file, folder


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
