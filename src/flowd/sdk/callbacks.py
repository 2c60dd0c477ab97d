"""The callbacks a task may have, and calling them."""

import logging
from collections.abc import Callable
from typing import Any

TASK_CALLBACKS = (
    "on_execute_callback", "on_failure_callback", "on_success_callback", "on_retry_callback", "on_skipped_callback",
)  # fmt: skip

log = logging.getLogger(__name__)


def callbacks_of(thing: Any, name: str) -> list[Callable[[Any], Any]]:
    """Return the callbacks that a task or DAG has under `name`: none, one or a list of them."""
    callbacks = getattr(thing, name)
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, (list, tuple, set)) else [callbacks]


def call_all(thing: Any, name: str, context: Any) -> None:
    """Call each callback under `name`; what one raises is logged, and the next is called all the same."""
    for callback in callbacks_of(thing, name):
        described = getattr(callback, "__qualname__", repr(callback))
        log.info("calling %s %s", name, described)
        try:
            callback(context)
        except Exception:
            log.exception("%s %s failed; the state of the task stays what it is", name, described)
