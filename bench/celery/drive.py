"""Sends the tasks and reads when they ran; prints a JSON document. Run by Celery's interpreter:

python drive.py RUNS

`chain` is milliseconds a task in a chain of 40, `bash` and `noop` are tasks per second of 500, `first` is milliseconds
from sending a task to its first instruction.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import chain
from tasks import bash, noop

JOURNAL = Path(os.environ["BENCH_CELERY_JOURNAL"])
CHAIN, FAN, FIRST = 40, 500, 30
SECONDS = 60


def run(send: Callable[[], object], count: int) -> float:
    """Call `send`, wait for `count` tasks, and return the seconds from before it to the last."""
    before = len(stamps())
    begun = time.time()
    send()
    deadline = begun + SECONDS
    while len(found := stamps()) < before + count:
        if time.time() > deadline:
            sys.exit(f"waited {SECONDS} s in vain for {count} tasks of Celery; {len(found) - before} ran")
        time.sleep(0.002 if count == 1 else 0.02)
    return max(found[before:]) - begun


def stamps() -> list[float]:
    """Return when tasks ran; a line that is half written is not there yet."""
    text = JOURNAL.read_text() if JOURNAL.exists() else ""
    return [float(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def fan(task: Any) -> None:
    """Send it many times."""
    for _ in range(FAN):
        task.delay()


def main(runs: int) -> None:
    """Warm up, measure, print."""
    run(lambda: fan(noop), FAN)
    document = {
        "chain": [run(lambda: chain(*[noop.si()] * CHAIN).delay(), CHAIN) * 1000 / CHAIN for _ in range(runs)],
        "bash": [FAN / run(lambda: fan(bash), FAN) for _ in range(runs)],
        "noop": [FAN / run(lambda: fan(noop), FAN) for _ in range(runs)],
        "first": [run(noop.delay, 1) * 1000 for _ in range(FIRST)],
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main(int(sys.argv[1]))
