"""pack_folder: a folder of DAG files as the archive that is pushed."""

import os
from dataclasses import dataclass
from pathlib import PurePosixPath

from flowd.db.bundles import bundle_hash
from flowd.domain.errors import InvalidInput, NotFound
from flowd.roles import bundle_archive
from flowd.roles.bundle_parser import IGNORE_FILES
from flowd.roles.scheduler.dag_folder import DagFolder, FolderChanged, FolderUnusable

MOST_BYTES = 1024**3
"""What this command holds in memory at most; how much a cluster takes is for its API nodes to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The archive, and the hash of the bundle that it makes: by it is told whether the server has got the same."""

    archive: bytes
    bundle: str
    files: int


def pack_folder(path: str) -> Packed:
    """Return the archive of the folder, less what is hidden, is __pycache__, or is named in a .flowdignore.

    Raises NotFound where there is no such folder, InvalidInput for one that cannot be packed: with a link that leads
    out of it, a file that cannot be read, or too much in it.
    """
    if not os.path.isdir(path):
        raise NotFound(f"there is no folder {path}")
    folder = DagFolder(path, most_bytes=MOST_BYTES)
    try:
        snapshot = folder.scan()
        if snapshot.problems:
            raise InvalidInput("\n  - ".join(["the folder cannot be packed:", *snapshot.problems.values()]))
        _check_links(folder.folder, [*snapshot.files])
        contents = folder.contents(snapshot.files.values())
    except (FolderUnusable, FolderChanged) as error:
        raise InvalidInput(str(error)) from error
    files = {name: contents[file.hash] for name, file in snapshot.files.items()}
    archive = bundle_archive.pack(files | _ignore_files(folder.folder, [*files]))
    return Packed(archive=archive, bundle=bundle_hash(snapshot.manifest), files=len(files))


def _check_links(folder: str, paths: list[str]) -> None:
    root = os.path.realpath(folder)
    for path in paths:
        real = os.path.realpath(os.path.join(folder, path))
        if os.path.commonpath((root, real)) != root:
            raise InvalidInput(
                f"{path} is a link out of the folder, to {real}: put the file itself there, or remove it"
            )


def _ignore_files(folder: str, paths: list[str]) -> dict[str, bytes]:
    """Return what says which files are not parsed, so that the server parses what a scheduler would."""
    folders = {"", *(str(parent) for path in paths for parent in PurePosixPath(path).parents if str(parent) != ".")}
    found: dict[str, bytes] = {}
    for base in folders:
        for name in IGNORE_FILES:
            path = f"{base}/{name}" if base else name
            if os.path.isfile(os.path.join(folder, path)):
                with open(os.path.join(folder, path), "rb") as file:
                    found[path] = file.read()
    _check_links(folder, [*found])
    return found
