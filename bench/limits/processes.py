"""The limits of process starting, of computing, and what an idle interpreter weighs."""

import subprocess
import sys
from pathlib import Path

import psutil

from bench.figure import Limit, Unit
from bench.limits.parallelism import IN_FLIGHT

SDK = "flowd.operators.decorators,flowd.operators.bash,flowd.sdk.dag"
"""What `from flowd import DAG, BashOperator, task` loads."""

_SCRIPT = Path(__file__).with_name("process_rates.py")
_MIB = 1024 * 1024


def process_limits(seconds: float, slices: int) -> list[Limit]:
    """Measure each kind of start for `slices` times `seconds`."""
    spawn, fork, cold = "raw spawn of `bash -c true`", "raw fork of a small warm Python", "raw `python3 -c pass`"
    heavy = "raw fork of a Python that has imported what a DAG file imports"
    many, alone = f"{IN_FLIGHT} in flight", "one at a time"
    rates = (
        ("spawn", f"{spawn}, {many}", ("spawn", IN_FLIGHT)),
        ("fork", f"{fork}, {many}", ("fork", IN_FLIGHT)),
        ("fork_sdk", f"{heavy}, {many}", ("fork", IN_FLIGHT, SDK)),
        ("cold", f"{cold}, {many}", ("cold", IN_FLIGHT)),
        ("spawn_alone", f"{spawn}, {alone}", ("spawn", 1)),
        ("fork_alone", f"{fork}, {alone}", ("fork", 1)),
        ("cold_alone", f"{cold}, {alone}", ("cold", 1)),
        ("fibo_33", f"fork of a small warm Python that computes fibo(33), {alone}", ("fibo_33", 1)),
    )
    return [
        *(
            Limit(name=name, words=words, unit=Unit.PER_SECOND, values=_rates(what, seconds, slices))
            for name, words, what in rates
        ),
        Limit(name="bare_python", words="PSS of an idle python3", unit=Unit.MEBIBYTES, values=(_bare_python_mib(),)),
        Limit(name="core", words="one core", unit=Unit.PERCENT_OF_CORE, values=(100.0,)),
        Limit(name="same", words="no change at all", unit=Unit.TIMES, values=(1.0,)),
    ]


def _rates(what: tuple[str | int, ...], seconds: float, slices: int) -> tuple[float, ...]:
    kind, in_flight, *modules = map(str, what)
    command = [sys.executable, "-I", str(_SCRIPT), kind, in_flight, str(seconds), *modules]
    return tuple(float(subprocess.check_output(command).split()[0]) for _ in range(slices))


def _bare_python_mib() -> float:
    command = [sys.executable, "-I", "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdout.readline()
        pss = psutil.Process(process.pid).memory_full_info().pss / _MIB
        process.stdin.write(b"\n")
    return float(pss)
