"""The limits of process starting, and what an idle interpreter weighs."""

import subprocess
import sys
from pathlib import Path

import psutil

from bench.figure import Limit, Unit

IN_FLIGHT = 8
"""As many as the workers of the scenarios run at a time."""

_SCRIPT = Path(__file__).with_name("process_rates.py")
_MIB = 1024 * 1024


def process_limits(seconds: float, slices: int) -> list[Limit]:
    """Measure each kind of start for `slices` times `seconds`."""
    return [
        _rate("spawn", "spawn", f"raw spawn of `bash -c true`, {IN_FLIGHT} in flight", IN_FLIGHT, seconds, slices),
        _rate("fork", "fork", f"raw fork of a small warm Python, {IN_FLIGHT} in flight", IN_FLIGHT, seconds, slices),
        _rate("cold", "cold", f"raw `python3 -c pass`, {IN_FLIGHT} in flight", IN_FLIGHT, seconds, slices),
        _rate("spawn_alone", "spawn", "raw spawn of `bash -c true`, one at a time", 1, seconds, slices),
        _rate("fork_alone", "fork", "raw fork of a small warm Python, one at a time", 1, seconds, slices),
        Limit(name="bare_python", words="PSS of an idle python3", unit=Unit.MEBIBYTES, values=(_bare_python_mib(),)),
        Limit(name="core", words="one core", unit=Unit.PERCENT_OF_CORE, values=(100.0,)),
    ]


def _rate(name: str, kind: str, words: str, in_flight: int, seconds: float, slices: int) -> Limit:
    command = [sys.executable, "-I", str(_SCRIPT), kind, str(in_flight), str(seconds)]
    values = [float(subprocess.check_output(command)) for _ in range(slices)]
    return Limit(name=name, words=words, unit=Unit.PER_SECOND, values=tuple(values))


def _bare_python_mib() -> float:
    command = [sys.executable, "-I", "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdout.readline()
        pss = psutil.Process(process.pid).memory_full_info().pss / _MIB
        process.stdin.write(b"\n")
    return float(pss)
