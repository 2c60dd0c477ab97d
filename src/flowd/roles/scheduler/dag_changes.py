"""Which DAG files a change of the folder may touch.

A DAG file may import any other Python file and read any other file, so that a change of a file which is no DAG file
touches all of them. A DAG file is taken to be imported where its name stands as a word in another Python file.
"""

import re
from collections.abc import Callable

from flowd.roles.scheduler.dag_folder import Snapshot


def touched(before: Snapshot, after: Snapshot, text: Callable[[str], str]) -> set[str]:
    """Return the DAG files of `after` that may define something else than in `before`; `text` reads a file."""
    old, new = before.manifest, after.manifest
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    became = {path for path in after.candidates if path not in before.files or not before.files[path].is_candidate}
    changed_candidates = {path for path in changed if _is_candidate(before, path) or _is_candidate(after, path)}
    if changed != changed_candidates or _is_any_imported(changed_candidates, after, text):
        return set(after.candidates)
    return became | (changed_candidates & set(after.candidates))


def _is_candidate(snapshot: Snapshot, path: str) -> bool:
    file = snapshot.files.get(path)
    return file is not None and file.is_candidate


def _is_any_imported(paths: set[str], snapshot: Snapshot, text: Callable[[str], str]) -> bool:
    if not paths:
        return False
    names = re.compile(rf"\b(?:{'|'.join(sorted(re.escape(_module(path)) for path in paths))})\b")
    sources = [path for path in snapshot.files if path.endswith(".py")]
    # A file may well say its own name; two changed files may name each other, which is an import all the same.
    return any(found.group() != _module(path) for path in sources for found in names.finditer(text(path)))


def _module(path: str) -> str:
    parts = path.removesuffix(".py").split("/")
    return parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
