"""Processes started and reaped per second, by a small Python that does nothing else. Run as a script:

python -I process_rates.py spawn|fork|cold IN_FLIGHT SECONDS [MODULE,...]

It imports the standard library alone, as little of it as it can, and MODULE,...: a fork costs what its parent has in
memory.
"""

import importlib
import os
import select
import sys
import time
from collections.abc import Callable


def spawn_bash() -> int:
    """Start `bash -c true`."""
    return os.posix_spawn("/bin/bash", ["bash", "-c", "true"], os.environ)


def fork_warm() -> int:
    """Fork this interpreter; the child ends at once."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return pid


def start_cold() -> int:
    """Start a new interpreter that does nothing."""
    return os.posix_spawn(sys.executable, [sys.executable, "-c", "pass"], os.environ)


KINDS: dict[str, Callable[[], int]] = {"spawn": spawn_bash, "fork": fork_warm, "cold": start_cold}


def rate(start: Callable[[], int], *, in_flight: int, seconds: float) -> float:
    """Return how many processes ended per second while `in_flight` of them ran at any time."""
    poll = select.poll()
    running: dict[int, int] = {}

    def launch() -> None:
        pid = start()
        watch = os.pidfd_open(pid)
        running[watch] = pid
        poll.register(watch, select.POLLIN)

    ended = 0
    begun = time.monotonic()
    for _ in range(in_flight):
        launch()
    while running:
        for watch, _ in poll.poll():
            poll.unregister(watch)
            os.close(watch)
            os.waitpid(running.pop(watch), 0)
            ended += 1
            if time.monotonic() - begun < seconds:
                launch()
    return ended / (time.monotonic() - begun)


if __name__ == "__main__":
    for module in sys.argv[4].split(",") if len(sys.argv) > 4 else ():
        importlib.import_module(module)
    print(rate(KINDS[sys.argv[1]], in_flight=int(sys.argv[2]), seconds=float(sys.argv[3])))
