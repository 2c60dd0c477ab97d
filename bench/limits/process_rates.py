"""Processes started and reaped per second, by a small Python that does nothing else. Run as a script:

python -I process_rates.py spawn|fork|cold|fibo_33 IN_FLIGHT SECONDS [MODULE,...]

It prints the rate, and the CPU milliseconds of each process with those of starting and reaping it. It imports the
standard library alone, as little of it as it can, and MODULE,...: a fork costs what its parent has in memory.
"""

import importlib
import os
import resource
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


def fork_and_compute() -> int:
    """Fork this interpreter; the child computes fibo(33) and ends."""
    pid = os.fork()
    if pid == 0:
        fibo(33)
        os._exit(0)
    return pid


def fibo(number: int) -> int:
    """As in the DAG that computes the same."""
    return number if number < 2 else fibo(number - 1) + fibo(number - 2)


KINDS: dict[str, Callable[[], int]] = {
    "spawn": spawn_bash,
    "fork": fork_warm,
    "cold": start_cold,
    "fibo_33": fork_and_compute,
}


def rate(start: Callable[[], int], *, in_flight: int, seconds: float) -> tuple[float, float]:
    """Return how many processes ended per second while `in_flight` of them ran at any time, and CPU ms of each."""
    poll = select.poll()
    running: dict[int, int] = {}

    def launch() -> None:
        pid = start()
        watch = os.pidfd_open(pid)
        running[watch] = pid
        poll.register(watch, select.POLLIN)

    ended, used = 0, _cpu_seconds()
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
    return ended / (time.monotonic() - begun), (_cpu_seconds() - used) * 1000 / ended


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    for module in sys.argv[4].split(",") if len(sys.argv) > 4 else ():
        importlib.import_module(module)
    print(*rate(KINDS[sys.argv[1]], in_flight=int(sys.argv[2]), seconds=float(sys.argv[3])))
