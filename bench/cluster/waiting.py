"""wait_until: for what happens in other processes."""

import time
from collections.abc import Callable


class WaitedInVain(Exception):
    """Something that was waited for did not happen."""


def wait_until(look: Callable[[], bool], what: str, *, seconds: float = 30.0, every: float = 0.02) -> None:
    """Return once `look` is true; raise WaitedInVain after `seconds`."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise WaitedInVain(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every)
