"""Targets: shares of what the same run measured, or amounts; and the catalogue names only what is measured."""

import pytest

from bench.cluster.backend import Backend
from bench.figure import Unit
from bench.scenarios.catalogue import SCENARIOS
from bench.scenarios.targets import TARGETS
from bench.target import AtLeast, AtLeastShare, AtMost, Bar, Target, verdicts
from tests.support.bench_figures import LIMITS, a_figure


@pytest.mark.parametrize(
    ("unit", "value", "bar", "text", "is_reached"),
    [
        (Unit.PER_SECOND, 499, AtLeastShare(0.5, "spawn"), ">= 50 % of spawn (500/s)", False),
        (Unit.PER_SECOND, 500, AtLeastShare(0.5, "spawn"), ">= 50 % of spawn (500/s)", True),
        (Unit.MILLISECONDS, 6, AtMost(6), "<= 6 ms", True),
        (Unit.MILLISECONDS, 6.1, AtMost(6), "<= 6 ms", False),
        (Unit.TIMES, 1.2, AtLeast(1), ">= 1 x", True),
        (Unit.TIMES, 0.99, AtLeast(1), ">= 1 x", False),
    ],
)
def test_a_target_is_reached_or_not(unit: Unit, value: float, bar: Bar, text: str, is_reached: bool) -> None:
    targets = [Target(scenario="fan", metric="rate", bar=bar)]

    [verdict] = verdicts(a_figure(unit, value), LIMITS, targets)

    assert (verdict.text, verdict.is_reached) == (text, is_reached)


def test_a_target_is_of_one_metric_and_may_be_of_some_backends_alone() -> None:
    targets = [Target(scenario="fan", metric="rate", bar=AtLeast(1), backends=("sqlite",))]

    assert len(verdicts(a_figure(Unit.PER_SECOND, 2), LIMITS, targets)) == 1
    assert verdicts(a_figure(Unit.PER_SECOND, 2, backend="postgres"), LIMITS, targets) == []
    assert verdicts(a_figure(Unit.PER_SECOND, 2, metric="gain"), LIMITS, targets) == []


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.scenario}.{target.metric}")
def test_every_target_is_of_a_scenario_that_is_measured_where_the_target_stands(target: Target) -> None:
    scenario = SCENARIOS[target.scenario]

    assert all(scenario.runs_on(Backend(backend)) for backend in target.backends)
