"""Listeners of plugins: modules or objects whose functions are called as a task's state changes, in its own process."""

import inspect
import logging
import warnings
from typing import Any

from flowd.sdk.exceptions import DagWarning

TASK_HOOKS = (
    "on_task_instance_running", "on_task_instance_success", "on_task_instance_failed", "on_task_instance_skipped",
)  # fmt: skip
_OTHER_HOOKS = (
    "on_dag_run_running", "on_dag_run_success", "on_dag_run_failed", "on_starting", "before_stopping",
    "on_asset_created", "on_asset_alias_created", "on_asset_changed", "on_new_dag_import_error",
    "on_existing_dag_import_error", "on_dataset_created", "on_dataset_changed",
)  # fmt: skip

log = logging.getLogger(__name__)

# One list a process, as there is one set of plugins.
_listeners: list[Any] = []


def hookimpl(function: Any = None, **_: Any) -> Any:
    """Mark a function as a listener's. flowd knows them by their names, so this changes nothing."""
    return (lambda marked: marked) if function is None else function


def listen(listener: Any, plugin: str) -> None:
    """Have the listener's functions called from now on; warn of those that flowd never calls."""
    if any(hasattr(listener, name) for name in TASK_HOOKS):
        _listeners.append(listener)
    if idle := [name for name in _OTHER_HOOKS if hasattr(listener, name)]:
        warnings.warn(
            f"plugin {plugin!r}: a listener's {', '.join(idle)} {'is' if len(idle) == 1 else 'are'} never called; "
            "use callbacks of the DAG",
            DagWarning,
            stacklevel=3,
        )


def are_there() -> bool:
    """Return True where a listener wants to hear of tasks."""
    return bool(_listeners)


def tell(hook: str, **given: Any) -> None:
    """Call `hook` of every listener with those of the arguments that it names; what one raises is logged, no more."""
    for listener in _listeners:
        function = getattr(listener, hook, None)
        if function is None:
            continue
        try:
            function(**_wanted(function, given))
        except Exception:
            log.exception("%s of listener %r failed; the state of the task stays what it is", hook, listener)


def _wanted(function: Any, given: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return given
    return {name: value for name, value in given.items() if name in parameters}
