"""BundleParser: reads the archives that are pushed: unpacks each into a folder of its own and parses what is in it."""

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from flowd.actions.bundle_reader import ReadBundle
from flowd.db import bundles
from flowd.domain.bundle_plan import BundleContent, BundleWarning
from flowd.domain.errors import InvalidInput
from flowd.roles import bundle_archive
from flowd.roles.scheduler.dag_folder import NOT_PARSED, NOT_STORED, DagFolder, FolderUnusable, Snapshot
from flowd.roles.scheduler.dag_parse_result import ParsedFile
from flowd.roles.scheduler.dag_parser import DagParser

IGNORE_FILES = (NOT_PARSED, NOT_STORED)
"""Hidden files that are packed: they say what of the folder is parsed, and are no part of the bundle."""


class BundleParser:
    """A BundleReader. One archive is parsed at a time, as a scheduler parses its folder; others wait.

    `parser` runs each file in a process of its own, bounded in time and memory. `scratch` is a folder of this node.
    """

    def __init__(self, parser: DagParser, scratch: Path, *, most_bytes: int) -> None:
        self._parser = parser
        self._scratch = scratch
        self._most_bytes = most_bytes
        self._turn = asyncio.Lock()

    async def read(self, archive: bytes) -> ReadBundle:
        """See BundleReader."""
        async with self._turn:
            files = await asyncio.to_thread(bundle_archive.unpack, archive, most_bytes=self._most_bytes)
            self._scratch.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="push-", dir=self._scratch) as folder:
                await asyncio.to_thread(_write, Path(folder), files)
                snapshot = await asyncio.to_thread(self._scan, folder)
                parsed: dict[str, ParsedFile] = {}
                await self._parser.parse(folder, snapshot.candidates, parsed.__setitem__)
        kept = {path: files[path] for path in snapshot.files}
        return ReadBundle(
            content=_content(snapshot, parsed, f"{folder}/"),
            packed=await asyncio.to_thread(_packed, kept),
            size_bytes=sum(map(len, kept.values())),
        )

    def _scan(self, folder: str) -> Snapshot:
        try:
            return DagFolder(folder, most_bytes=self._most_bytes).scan()
        except FolderUnusable as error:
            raise InvalidInput(str(error).replace(f"{folder} ", "")) from error


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _packed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {hashlib.sha256(content).hexdigest(): bundles.pack(content) for content in files.values()}


def _content(snapshot: Snapshot, parsed: Mapping[str, ParsedFile], folder: str) -> BundleContent:
    """`folder` is left out of what is told: it is of this node and of this push alone."""
    errors = dict(snapshot.problems) | {file: one.error for file, one in parsed.items() if one.error}
    return BundleContent(
        bundle=bundles.bundle_hash(snapshot.manifest),
        manifest=snapshot.manifest,
        dags=[dag for file in sorted(parsed) for dag in parsed[file].dags],
        errors={file: error.replace(folder, "") for file, error in errors.items()},
        warnings=[
            BundleWarning(file=file, line=note.line, text=note.text.replace(folder, ""))
            for file, one in sorted(parsed.items())
            for note in one.notes
        ],
    )
