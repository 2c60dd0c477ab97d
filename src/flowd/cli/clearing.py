"""confirm_and_clear: say how much would run again, ask, and then do it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from flowd.cli.options import confirm
from flowd.cli.output import note
from flowd.cli.session import read_settings, with_backends

if TYPE_CHECKING:
    from flowd.actions.backends import Backends

Clear = Callable[["Backends", bool], Awaitable[Sequence[int]]]
"""`clear(backends, dry_run)` returns the task instances concerned."""


def confirm_and_clear(clear: Clear, run_id: str, is_certain: bool) -> None:
    """Show the number of task instances, clear them where the person agrees, and say how many that were."""
    settings = read_settings()
    count = len(with_backends(settings, lambda backends: clear(backends, True)))
    if not count:
        note("Nothing to clear.")
        return
    confirm(f"Clear {count} task instances of {run_id}?", is_certain)
    note(f"Cleared {len(with_backends(settings, lambda backends: clear(backends, False)))} task instances.")
