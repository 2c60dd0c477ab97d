"""Where the log of a try lies: one file under the folder of logs, whatever the names of DAG, run and task."""

from hashlib import sha256
from pathlib import Path

LONGEST_NAME_BYTES = 255
"""What file systems allow one name to have."""

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:+=@,")
_HASH_MARK = "~"
"""Never plain, so that no short name can look like a hashed one."""


def log_path(root: Path, dag_id: str, run_id: str, task_id: str, map_index: int, try_number: int) -> Path:
    """Return `root/DAG/RUN/TASK/MAP_INDEX/TRY.log`; different tries have different files, all of them under `root`."""
    return root / quoted(dag_id) / quoted(run_id) / quoted(task_id) / str(map_index) / f"{try_number}.log"


def quoted(name: str) -> str:
    """Return a file name for `name`: unlike for unlike names, never empty, `.`, `..` or longer than 255 bytes."""
    raw = name.encode("utf-8", "surrogatepass")
    text = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw) or "%"
    if text.startswith("."):
        text = f"%2E{text[1:]}"
    if len(text) <= LONGEST_NAME_BYTES:
        return text
    digest = sha256(raw).hexdigest()
    return f"{text[: LONGEST_NAME_BYTES - len(digest) - 1]}{_HASH_MARK}{digest}"
