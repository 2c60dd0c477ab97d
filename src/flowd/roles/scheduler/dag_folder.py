"""DagFolder: what the DAG folder holds now, told by hashes, and which of its files may define DAGs."""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowd.domain.errors import FlowdError
from flowd.roles.scheduler.dag_ignore import IgnoreFile, is_ignored

MOST_FILES = 20_000
LONGEST_PATH = 500
"""As long as the path of an import error may be in the metastore."""

NOT_PARSED = ".airflowignore"
"""Files it names are not looked into for DAGs, but are part of the bundle: DAG files may import them."""

NOT_STORED = ".flowdignore"
"""Files it names are not part of the bundle at all."""

_FRESH_NS = 2 * 10**9
"""A file changed so recently may change again without its times telling: it is read again the next time."""


class FolderUnusable(FlowdError):
    """The DAG folder as a whole cannot be taken: it is missing, unreadable or too large. The text says what to do."""


class FolderChanged(FlowdError):
    """A file is no longer what the scan saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file: `hash` is sha256 of its bytes in hex; `is_candidate` where it may define DAGs."""

    path: str
    hash: str
    size_bytes: int
    is_candidate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The folder at one moment, by relative path with slashes. `problems` names files that could not be taken."""

    files: Mapping[str, FoundFile]
    problems: Mapping[str, str]

    @property
    def manifest(self) -> dict[str, str]:
        """The hash of each file."""
        return {path: file.hash for path, file in self.files.items()}

    @property
    def candidates(self) -> list[str]:
        """The files that may define DAGs, sorted."""
        return sorted(path for path, file in self.files.items() if file.is_candidate)


@dataclass(slots=True)
class _Walk:
    """What one walk has met."""

    stats: dict[str, os.stat_result] = field(default_factory=dict)
    parsed: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Known:
    """A file that was read before, and the times and numbers that it then had."""

    key: tuple[int, int, int, int]
    hash: str
    mentions_dag: bool


class DagFolder:
    """Scans one folder again and again; what has not changed is not read again. Call it from one thread at a time.

    Left out are hidden files and folders, __pycache__, what is no regular file, and links that lead in a circle.
    """

    def __init__(self, folder: str, *, most_bytes: int) -> None:
        self.folder = os.path.abspath(folder)
        self._most_bytes = most_bytes
        self._known: dict[str, _Known] = {}
        self._unstored: dict[str, bytes] = {}

    def scan(self) -> Snapshot:
        """Return what is there; raise FolderUnusable where the folder cannot be taken as a whole."""
        walk = _Walk()
        self._enter("", self._root(), (), (), True, walk)
        self._check_size(walk.stats)
        files = {}
        for path in sorted(walk.stats):
            try:
                known = self._identify(path, walk.stats[path])
            except OSError as error:
                walk.problems[path] = f"{path} cannot be read ({error.strerror}): change its permissions or remove it"
                continue
            files[path] = FoundFile(
                path=path,
                hash=known.hash,
                size_bytes=walk.stats[path].st_size,
                is_candidate=path in walk.parsed and path.endswith(".py") and known.mentions_dag,
            )
        self._known = {path: known for path, known in self._known.items() if path in files}
        return Snapshot(files=files, problems=walk.problems)

    def contents(self, files: Iterable[FoundFile]) -> dict[str, bytes]:
        """Return the bytes of these files by hash, as the last scan saw them; raise FolderChanged if gone."""
        found: dict[str, bytes] = {}
        for file in files:
            content = self._unstored.get(file.hash)
            if content is None:
                try:
                    content = self._read(file.path)
                except OSError as error:
                    raise FolderChanged(f"{file.path} cannot be read any more ({error.strerror})") from error
                if hashlib.sha256(content).hexdigest() != file.hash:
                    raise FolderChanged(f"{file.path} changed while it was read")
            found[file.hash] = content
        return found

    def forget_contents(self) -> None:
        """Drop the bytes kept since they were first read: they are stored elsewhere now."""
        self._unstored.clear()

    def text(self, path: str) -> str:
        """Return the text of a file, whatever its encoding; "" where it cannot be read."""
        try:
            return self._read(path).decode(errors="replace")
        except (OSError, FolderChanged):
            return ""

    def _root(self) -> frozenset[tuple[int, int]]:
        try:
            status = os.stat(self.folder)
        except OSError as error:
            raise self._unreadable(error) from error
        return frozenset({(status.st_dev, status.st_ino)})

    def _unreadable(self, error: OSError) -> FolderUnusable:
        return FolderUnusable(
            f"the DAG folder {self.folder} cannot be read ({error.strerror}): create it, or set"
            " FLOWD__DAGS__FOLDER to another one; until then every DAG stays as it is"
        )

    def _enter(
        self,
        base: str,
        above: frozenset[tuple[int, int]],
        not_parsed: tuple[IgnoreFile, ...],
        not_stored: tuple[IgnoreFile, ...],
        is_parsed: bool,
        walk: _Walk,
    ) -> None:
        """Walk `base`. `above` are the device and inode of each folder on the way here."""
        try:
            entries = list(os.scandir(os.path.join(self.folder, base)))
        except OSError as error:
            if base:
                walk.problems[base] = f"the folder {base} cannot be read ({error.strerror}): change its permissions"
                return
            raise self._unreadable(error) from error
        names = {entry.name for entry in entries}
        not_parsed += self._ignore_file(base, NOT_PARSED, names, walk)
        not_stored += self._ignore_file(base, NOT_STORED, names, walk)
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__pycache__":
                continue
            path = f"{base}/{entry.name}" if base else entry.name
            if problem := _problem_of_path(path):
                walk.problems[ascii(path)[1:-1][:LONGEST_PATH]] = problem
                continue
            try:
                status = entry.stat()
            except OSError:
                continue  # A link to nowhere, or a file that went away just now.
            is_folder = stat.S_ISDIR(status.st_mode)
            if is_ignored(path, not_stored, is_folder=is_folder):
                continue
            takes_part = is_parsed and not is_ignored(path, not_parsed, is_folder=is_folder)
            identity = (status.st_dev, status.st_ino)
            if is_folder and identity not in above:
                self._enter(path, above | {identity}, not_parsed, not_stored, takes_part, walk)
            elif stat.S_ISREG(status.st_mode):
                walk.stats[path] = status
                walk.parsed |= {path} if takes_part else set()
                self._check_count(walk.stats)

    def _ignore_file(self, base: str, name: str, names: set[str], walk: _Walk) -> tuple[IgnoreFile, ...]:
        if name not in names:
            return ()
        path = f"{base}/{name}" if base else name
        rules = IgnoreFile.parse(self.text(path), base)
        if rules.problems:
            walk.problems[path] = f"{path}: " + "; ".join(rules.problems)
        return (rules,)

    def _check_count(self, stats: Mapping[str, os.stat_result]) -> None:
        if len(stats) > MOST_FILES:
            raise FolderUnusable(
                f"the DAG folder {self.folder} holds more than {MOST_FILES} files: name those that DAGs do not need in"
                f" {NOT_STORED}, or set FLOWD__DAGS__FOLDER to another folder; until then every DAG stays as it is"
            )

    def _check_size(self, stats: Mapping[str, os.stat_result]) -> None:
        total = sum(status.st_size for status in stats.values())
        if total > self._most_bytes:
            largest = sorted(stats, key=lambda path: -stats[path].st_size)[:3]
            named = ", ".join(f"{path} ({stats[path].st_size} bytes)" for path in largest)
            raise FolderUnusable(
                f"the DAG folder {self.folder} holds {total} bytes and may hold {self._most_bytes}; its largest files"
                f" are {named}: keep data elsewhere, name files that DAGs do not need in {NOT_STORED}, or raise"
                " FLOWD__DAGS__MAX_BUNDLE_SIZE; until then every DAG stays as it is"
            )

    def _identify(self, path: str, status: os.stat_result) -> _Known:
        key = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        known = self._known.get(path)
        if known is None or known.key != key or time.time_ns() - max(key[:2]) < _FRESH_NS:
            content = self._read(path)
            hash_ = hashlib.sha256(content).hexdigest()
            if known is None or known.hash != hash_:
                self._unstored[hash_] = content
            known = self._known[path] = _Known(key, hash_, _mentions_dag(content))
        return known

    def _read(self, path: str) -> bytes:
        with open(Path(self.folder, path), "rb") as file:
            content = file.read(self._most_bytes + 1)
        if len(content) > self._most_bytes:
            raise FolderChanged(f"{path} grew past the size limit while it was read")
        return content


def _mentions_dag(content: bytes) -> bool:
    """Airflow's safe mode: only such files are worth to be run."""
    text = content.lower()
    return b"dag" in text and (b"airflow" in text or b"flowd" in text)


def _problem_of_path(path: str) -> str | None:
    try:
        path.encode()
    except UnicodeEncodeError:
        return f"{path!a} is no UTF-8 name: rename the file"
    if len(path) > LONGEST_PATH:
        return f"{path[:80]}... is a path of {len(path)} characters, at most {LONGEST_PATH} are possible: shorten it"
    return None
