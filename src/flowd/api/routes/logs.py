"""The logs of tries: windows by byte offset as JSON, or the whole as a stream of text or lines of JSON."""

from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from flowd.api.context import ApiContext, Context
from flowd.api.errors import invalid
from flowd.api.guard import ApiRoute
from flowd.api.openapi import also_as
from flowd.api.schemas.task_instances import LogMessage, TaskInstancesLogResponse
from flowd.api.storable import WholeNumber
from flowd.db.views.task_instances import InstanceView, get_instance
from flowd.db.views.tries import get_try
from flowd.domain.ids import UNMAPPED
from flowd.domain.states import HOLDS_SLOT
from flowd.logs.paths import log_path
from flowd.logs.reader import LogLine, LogReader, LogStream

router = APIRouter(
    prefix="/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}",
    route_class=ApiRoute,
    tags=["Task Instance"],
)

NDJSON = "application/x-ndjson"
PLAIN = "text/plain"


@router.get("/logs/{try_number}", response_model=TaskInstancesLogResponse, responses=also_as(PLAIN, NDJSON))
async def get_log(
    request: Request,
    context: Context,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    try_number: WholeNumber,
    map_index: WholeNumber = UNMAPPED,
    full_content: bool = False,
    token: str | None = None,
) -> Response | TaskInstancesLogResponse:
    """Return the log of a try.

    JSON is one window (1 MiB of log at most), to be continued with `token` until `continuation_token` is null; with
    `full_content` it is all of it. `Accept: text/plain` and `application/x-ndjson` stream all of it.
    """
    async with context.backends.metastore.reading() as tx:
        instance = await get_instance(tx, context.cards, dag_id, dag_run_id, task_id, map_index)
        await get_try(tx, instance, try_number)
    path = path_of(context, instance, try_number)
    start = _offset(token)
    accept = request.headers.get("Accept", "")
    if PLAIN in accept:
        return StreamingResponse(_as_text(context.logs, path, start), media_type=PLAIN)
    if NDJSON in accept:
        return StreamingResponse(_as_ndjson(context.logs, path, start), media_type=NDJSON)
    if full_content:
        return StreamingResponse(_as_json(context.logs, path, start), media_type="application/json")
    return await _window(context, instance, try_number, start)


def path_of(context: ApiContext, instance: InstanceView, try_number: WholeNumber) -> Path:
    """Return where the log of a try of this instance lies."""
    root = context.settings.logs.folder
    return log_path(root, instance.dag_id, instance.run_id, instance.task_id, instance.map_index, try_number)


def is_live(instance: InstanceView, try_number: WholeNumber) -> bool:
    """Return whether this try may still write."""
    return instance.try_number == try_number and instance.state in HOLDS_SLOT


def absence(path: Path) -> LogLine:
    """Return the line that stands for a log that this node has not got."""
    text = f"no log is at {path.name} of this try on this node: it has not started, or its worker keeps it elsewhere"
    return LogLine(at=None, stream=LogStream.FLOWD, text=text)


async def _window(context: ApiContext, instance: InstanceView, number: int, start: int) -> TaskInstancesLogResponse:
    path = path_of(context, instance, number)
    window = await context.logs.window(path, start)
    if window is None:
        token = str(start) if is_live(instance, number) else None
        return TaskInstancesLogResponse(content=[_message(absence(path))], continuation_token=token)
    has_more = (not window.is_last and window.end > start) or is_live(instance, number)
    return TaskInstancesLogResponse(
        content=[_message(line) for line in window.lines], continuation_token=str(window.end) if has_more else None
    )


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) <= 18):
        raise invalid(("query", "token"), "Input should be a continuation_token of this log", token)
    return int(token)


def _message(line: LogLine) -> LogMessage:
    return LogMessage(timestamp=line.at, event=line.text, stream=line.stream.value)


async def _lines(logs: LogReader, path: Path, start: int) -> AsyncIterator[tuple[LogLine, ...]]:
    is_absent = True
    async for window in logs.windows(path, start):
        is_absent = False
        yield window.lines
    if is_absent and await logs.window(path) is None:
        yield (absence(path),)


async def _as_text(logs: LogReader, path: Path, start: int) -> AsyncIterator[str]:
    async for lines in _lines(logs, path, start):
        yield "".join(f"{line}\n" for line in lines)


async def _as_ndjson(logs: LogReader, path: Path, start: int) -> AsyncIterator[str]:
    async for lines in _lines(logs, path, start):
        yield "".join(_message(line).model_dump_json() + "\n" for line in lines)


async def _as_json(logs: LogReader, path: Path, start: int) -> AsyncIterator[str]:
    comma = ""
    yield '{"content":['
    async for lines in _lines(logs, path, start):
        for line in lines:
            yield comma + _message(line).model_dump_json()
            comma = ","
    yield '],"continuation_token":null}'
