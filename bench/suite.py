"""run_suite: the chosen scenarios on the chosen backends, and the limits first."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import groupby
from pathlib import Path

import psutil

from bench.cluster.backend import Backend
from bench.cluster.cluster import start_cluster
from bench.cluster.layout import Layout
from bench.cluster.place import open_place
from bench.cluster.waiting import WaitedInVain
from bench.figure import Failure, Figure, Limit
from bench.limits.measure import measure_limits
from bench.record import Record, this_machine
from bench.scenarios.catalogue import SCENARIOS
from bench.scenarios.scaling import gains
from bench.scenarios.scenario import Effort, Scenario

LIMIT_SECONDS = 0.7

BROKEN = (WaitedInVain, RuntimeError, OSError, HTTPException, psutil.Error)
"""What a scenario raises whose run does not succeed, or whose node does not answer or has died."""

Say = Callable[[str], None]


def run_suite(
    names: Sequence[str],
    backends: Sequence[Backend],
    effort: Effort,
    folder: Path,
    say: Say,
    others: Callable[[], Sequence[Limit]] = tuple,
) -> Record:
    """Measure, with files in `folder`; `others` are limits beyond those of the machine.

    A scenario that fails is recorded, and the next one is measured.
    """
    machine, at = this_machine(), datetime.now(UTC)
    if machine.is_busy:
        say(f"the load is {machine.load_before:.1f} on {machine.cores} cores: these figures are worth little")
    limits = measure_limits(backends, folder, seconds=LIMIT_SECONDS, slices=effort.runs, say=say)
    limits |= {limit.name: limit for limit in others()}
    figures: list[Figure] = []
    failures: list[Failure] = []
    for backend in backends:
        chosen = [SCENARIOS[name] for name in names if SCENARIOS[name].runs_on(backend)]
        for layout, scenarios in groupby(chosen, key=lambda scenario: scenario.layout):
            found, failed = _measure(backend, layout, list(scenarios), effort, folder / backend / layout.name, say)
            figures += found
            failures += failed
    return Record(at=at, machine=machine, limits=limits, figures=[*figures, *gains(figures)], failures=failures)


def _measure(
    backend: Backend, layout: Layout, scenarios: Sequence[Scenario], effort: Effort, folder: Path, say: Say
) -> tuple[list[Figure], list[Failure]]:
    """Measure scenarios of one layout on the same nodes."""
    figures: list[Figure] = []
    failures: list[Failure] = []
    say(f"{backend}: starting {' + '.join(layout.nodes_on(backend))} for {layout.name}")
    dags = list(dict.fromkeys(dag_id for scenario in scenarios for dag_id in scenario.dag_ids))
    try:
        with open_place(backend, layout, folder) as place, start_cluster(place, dags) as cluster:
            for scenario in scenarios:
                say(f"{backend}: {scenario.name}")
                try:
                    scenario.warm_up(cluster)
                    figures += scenario.measure(cluster, effort)
                except BROKEN as error:
                    failures.append(Failure(scenario=scenario.name, backend=backend, reason=_reason(error)))
    except BROKEN as error:
        failures.append(Failure(scenario=f"the nodes for {layout.name}", backend=backend, reason=_reason(error)))
    return figures, failures


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
