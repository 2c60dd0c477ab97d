"""run_suite: the chosen scenarios on the chosen backends, and the limits first."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import psutil

from bench.cluster.backend import Backend, open_place
from bench.cluster.cluster import start_cluster
from bench.cluster.waiting import WaitedInVain
from bench.figure import Failure, Figure
from bench.limits.measure import measure_limits
from bench.record import Record, this_machine
from bench.scenarios.catalogue import SCENARIOS
from bench.scenarios.scenario import Effort

LIMIT_SECONDS = 0.7

BROKEN = (WaitedInVain, RuntimeError, OSError, HTTPException, psutil.Error)
"""What a scenario raises whose run does not succeed, or whose node does not answer or has died."""


def run_suite(
    names: Sequence[str], backends: Sequence[Backend], effort: Effort, folder: Path, say: Callable[[str], None]
) -> Record:
    """Measure, with files in `folder`. A scenario that fails is recorded and the next one is measured."""
    machine, at = this_machine(), datetime.now(UTC)
    if machine.is_busy:
        say(f"the load is {machine.load_before:.1f} on {machine.cores} cores: these figures are worth little")
    limits = measure_limits(backends, folder, seconds=LIMIT_SECONDS, slices=effort.runs, say=say)
    figures: list[Figure] = []
    failures: list[Failure] = []
    for backend in backends:
        say(f"{backend}: starting nodes")
        dags = sorted({SCENARIOS[name].dag_id for name in names})
        try:
            with open_place(backend, folder / backend) as place, start_cluster(place, dags) as cluster:
                for name in names:
                    say(f"{backend}: {name}")
                    try:
                        SCENARIOS[name].warm_up(cluster)
                        figures += SCENARIOS[name].measure(cluster, effort)
                    except BROKEN as error:
                        failures.append(Failure(scenario=name, backend=backend, reason=_reason(error)))
        except BROKEN as error:
            failures.append(Failure(scenario="the cluster", backend=backend, reason=_reason(error)))
    return Record(at=at, machine=machine, limits=limits, figures=figures, failures=failures)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
