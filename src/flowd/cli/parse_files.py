"""parse_files: reads DAG files as a scheduler would, each in a child process with its limits."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowd.child.frames import Frame
    from flowd.roles.scheduler.dag_parse_result import ParsedFile
    from flowd.settings.model import Settings


def parse_files(settings: "Settings", folder: str, files: Sequence[str]) -> "dict[str, ParsedFile]":
    """Return what each of these files of `folder` defines. Variables and connections are as in an empty metastore."""
    return asyncio.run(_parse(settings, folder, files))


async def _parse(settings: "Settings", folder: str, files: Sequence[str]) -> "dict[str, ParsedFile]":
    from flowd.roles.scheduler.dag_parse_result import ParseBounds
    from flowd.roles.scheduler.dag_parser import DagParser

    parsed: dict[str, ParsedFile] = {}
    with tempfile.TemporaryDirectory() as logs:
        parser = DagParser(
            bounds=ParseBounds(timeout=settings.dags.parse_timeout, memory_bytes=settings.dags.parse_memory),
            log_folder=logs,
            env=os.environ,
            on_request=_not_found,
        )
        await parser.parse(folder, files, parsed.__setitem__)
    return parsed


async def _not_found(_: int, request: "Frame") -> "Frame":
    return {"found": False, "value": None, "connection": None}
