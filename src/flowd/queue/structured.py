"""How tasks of this package are owned: work alongside a context, and work that is finished even when cancelled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")


@asynccontextmanager
async def alongside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` for the time of the context, then cancel it. If `work` fails, the context ends with its error."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        except Exception as exc:
            # Raised again below, so that the caller's own error does not arrive wrapped in the group's.
            failure = exc
        finally:
            task.cancel()
    if failure is not None:
        raise failure


async def finish_despite_cancel(
    work: Coroutine[Any, Any, T], *, hurry: Callable[[], None], undo: Callable[[T], Awaitable[None]]
) -> T:
    """Await `work` without ever breaking it off in the middle.

    When the caller is cancelled meanwhile, `hurry` asks the work to end soon, `undo` takes back what it brought, and
    then the cancellation goes on, also where `undo` fails, which is logged. A second cancellation breaks off the work.
    """
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_outcome(work))
        try:
            result, failure = await asyncio.shield(task)
        except asyncio.CancelledError:
            hurry()
            result, failure = await task
            if failure is None:
                await _undone(undo(result[0]))
            raise
    if failure is not None:
        raise failure
    return result[0]


async def _undone(undoing: Awaitable[None]) -> None:
    # An error raised here would take the place of the cancellation, and end what runs beside the caller.
    try:
        await undoing
    except Exception as error:
        log.warning("could not be taken back", error=str(error))


async def _outcome(work: Coroutine[Any, Any, T]) -> tuple[list[T], Exception | None]:
    # An error is carried as a value: raised inside the group it would cancel its owner, and arrive wrapped.
    try:
        return [await work], None
    except Exception as exc:
        return [], exc
