"""StatResult: what a file system tells of a file or an object, by its own names and by those of os.stat."""

import stat
from datetime import datetime
from typing import Any

_KINDS = {"file": stat.S_IFREG, "directory": stat.S_IFDIR}


class StatResult(dict[str, Any]):
    """What fsspec's `info` gives; what the file system does not tell is 0."""

    @property
    def st_size(self) -> int:
        """Bytes."""
        return int(self.get("size") or 0)

    @property
    def st_mtime(self) -> float:
        """When it was last changed, in seconds since 1970."""
        changed = self.get("mtime") or self.get("LastModified") or self.get("updated") or 0
        return changed.timestamp() if isinstance(changed, datetime) else float(changed)

    @property
    def st_mode(self) -> int:
        """Its kind, and its permissions where there are such."""
        if self.get("islink"):
            return stat.S_IFLNK
        return int(self.get("mode") or _KINDS.get(self.get("type", ""), 0))

    @property
    def st_ino(self) -> int:
        """The number of its inode."""
        return int(self.get("ino") or 0)

    @property
    def st_dev(self) -> int:
        """Always 0."""
        return 0

    @property
    def st_nlink(self) -> int:
        """How many names it has."""
        return int(self.get("nlink") or 0)

    @property
    def st_uid(self) -> int:
        """Whose it is."""
        return int(self.get("uid") or 0)

    @property
    def st_gid(self) -> int:
        """Whose group's it is."""
        return int(self.get("gid") or 0)
