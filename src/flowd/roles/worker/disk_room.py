"""Whether a disk has room for logs: a worker without does not call itself ready."""

import os
from pathlib import Path

LEAST_FREE_BYTES = 16 * 1024 * 1024


def has_room(folder: Path) -> bool:
    """Return whether the disk that holds this folder, or its nearest parent that exists, has LEAST_FREE_BYTES left."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize >= LEAST_FREE_BYTES
