"""A bulkhead: the one thing in a batch that cannot be dealt with must not keep an agent from all the others."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from flowd.domain.errors import Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


async def one_by_one_in_trouble(
    agent: str,
    items: Sequence[Item],
    act: Callable[[Sequence[Item]], Awaitable[Answer]],
    *,
    names: Callable[[Item], Mapping[str, object]],
) -> list[Answer]:
    """Return what `act` answers for all items at once or, where that fails, for each item that it does not fail for.

    `act` must leave nothing half done where it raises, such as one transaction. An item that it fails for is logged by
    its `names` and left out. A backend that is away is no item's fault: Unavailable is raised.
    """
    try:
        return [await act(items)]
    except Unavailable:
        raise
    except Exception as error:
        log.warning("a batch failed; going on one by one", agent=agent, count=len(items), error=repr(error))
    answers: list[Answer] = []
    for item in items:
        try:
            answers.append(await act([item]))
        except Unavailable:
            raise
        except Exception:
            log.exception("left out", agent=agent, **names(item))
    return answers
