"""Pace: how much slower this machine is than the one on which a bound in seconds was set."""

import subprocess
import sys
import time

START_SECONDS = 0.015
"""How long a bare interpreter takes from start to end on a machine that does nothing else."""

_slowest = 1.0


def at_pace(seconds: float) -> float:
    """Return a bound that was set on a quiet machine, as this machine would keep it at the slowest it has been.

    So of two bounds the one asked for later is stretched at least as far.
    """
    global _slowest
    began = time.monotonic()
    subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
    _slowest = max(_slowest, (time.monotonic() - began) / START_SECONDS)
    return seconds * _slowest
