"""try_file: reads one DAG file as a scheduler would, in a child process with its limits."""

import asyncio
import os
import tempfile
from typing import TYPE_CHECKING, Any

from flowd.domain.errors import NotFound

if TYPE_CHECKING:
    from flowd.roles.scheduler.dag_parse_result import ParsedFile
    from flowd.settings.model import Settings


def try_file(settings: "Settings", file: str) -> tuple[list[dict[str, Any]], str | None]:
    """Return a row for each DAG the file defines, and why it cannot be read (None where it can)."""
    from flowd.domain.timetable import summary
    from flowd.roles.scheduler.dag_parse_result import ParseBounds
    from flowd.roles.scheduler.dag_parser import DagParser

    if not os.path.isfile(file):
        raise NotFound(f"there is no file {file}")
    folder, name = os.path.split(os.path.abspath(file))
    parsed: list[ParsedFile] = []

    async def parse() -> None:
        with tempfile.TemporaryDirectory() as logs:
            parser = DagParser(
                bounds=ParseBounds(timeout=settings.dags.parse_timeout, memory_bytes=settings.dags.parse_memory),
                log_folder=logs,
                env=os.environ,
            )
            await parser.parse(folder, [name], lambda _file, result: parsed.append(result))

    asyncio.run(parse())
    (result,) = parsed
    rows = [
        {"dag_id": dag.dag_id, "schedule": summary(dag.timetable), "tasks": [task.task_id for task in dag.tasks]}
        for dag in result.dags
    ]
    return rows, result.error
