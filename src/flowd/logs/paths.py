"""Where the log of a try lies: one file under the folder of logs, whatever the names of DAG, run and task."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flowd.domain.ids import UNMAPPED

LONGEST_NAME_BYTES = 255
"""What file systems allow one name to have."""

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:+=@,")
_MARK = "~"
"""Never plain, so that no short name can look like a hashed one, nor a task's name like that of a try."""

_LONGEST_STEM_BYTES = LONGEST_NAME_BYTES - len("~2147483647~2147483647.log")


def log_path(root: Path, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> Path:
    """Return `root/DAG/RUN/TASK~TRY.log`, of a mapped task `TASK~MAP_INDEX~TRY.log`; no two tries share a file.

    A folder for each task would be one more thing for the disk to make before the task can begin.
    """
    mapped = "" if map_index == UNMAPPED else f"{_MARK}{map_index}"
    name = f"{quoted(task_id, _LONGEST_STEM_BYTES)}{mapped}{_MARK}{try_number}.log"
    return root / f"{quoted(dag_id)}/{quoted(run_id)}/{name}"


@lru_cache(maxsize=4096)  # the same few names again and again, and each character of a name is looked at
def quoted(name: str, longest_bytes: int = LONGEST_NAME_BYTES) -> str:
    """Return a file name for `name`: unlike for unlike names, never empty, `.`, `..` or longer than `longest_bytes`."""
    raw = name.encode("utf-8", "surrogatepass")
    text = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw) or "%"
    if text.startswith("."):
        text = f"%2E{text[1:]}"
    if len(text) <= longest_bytes:
        return text
    digest = sha256(raw).hexdigest()
    return f"{text[: longest_bytes - len(digest) - 1]}{_MARK}{digest}"
