"""What counts as a file that is there."""

import os
from glob import iglob


def is_there(pattern: str, *, recursive: bool) -> bool:
    """Return True where the glob pattern finds a file, or a folder with a file somewhere in it."""
    for found in iglob(pattern, recursive=recursive):
        if os.path.isfile(found) or any(files for _, _, files in os.walk(found)):
            return True
    return False
