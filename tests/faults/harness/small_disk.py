"""SmallDisk: a folder with a few megabytes of room, which a scenario can fill up and clear again."""

import errno
import os
import subprocess
from pathlib import Path

BALLAST = "ballast"
_BLOCK = b"\0" * 64 * 1024


class CannotMount(Exception):
    """This user, or this container, may not mount a file system."""


class SmallDisk:
    """A tmpfs at `folder`, until `unmount`."""

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "flowd-faults", str(folder)]
        try:
            done = subprocess.run(mount, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise CannotMount("there is no mount command") from error
        if done.returncode != 0:
            raise CannotMount(done.stderr.strip())

    def fill(self) -> None:
        """Leave no byte free."""
        file = os.open(self.folder / BALLAST, os.O_WRONLY | os.O_CREAT)
        try:
            os.lseek(file, 0, os.SEEK_END)
            for size in (len(_BLOCK), 512, 1):
                self._write_until_full(file, _BLOCK[:size])
        finally:
            os.close(file)

    def clear(self) -> None:
        """Give the room back."""
        (self.folder / BALLAST).unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take it away, though somebody may still hold files in it."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _write_until_full(self, file: int, block: bytes) -> None:
        while True:
            try:
                os.write(file, block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return
