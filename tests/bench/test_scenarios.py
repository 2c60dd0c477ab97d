"""Scenarios: steps of tasks, gains of more nodes, and the order of the catalogue."""

from itertools import groupby

import pytest

from bench.cluster.backend import Backend
from bench.cluster.layout import EVERY_ROLE, scaled
from bench.cluster.ledger import TaskTimes
from bench.figure import Unit
from bench.scenarios.catalogue import SCENARIOS, STANDARD
from bench.scenarios.load import steps_in_ms
from bench.scenarios.scaling import gains
from tests.support.bench_figures import a_figure


def test_the_steps_of_a_chain_include_the_way_to_the_next_task() -> None:
    run = [
        TaskTimes(scheduled_at=0.0, queued_at=0.001, started_at=0.003, ended_at=0.013),
        TaskTimes(scheduled_at=0.017, queued_at=0.018, started_at=0.020, ended_at=0.030),
    ]

    chain = steps_in_ms([run], is_chain=True)

    assert chain == pytest.approx({"admit": 1, "claim": 2, "execute": 10, "advance": 4})
    assert "advance" not in steps_in_ms([run], is_chain=False)


def test_a_gain_is_over_one_scheduler_and_one_worker_on_the_same_backend() -> None:
    rates = [
        a_figure(Unit.PER_SECOND, 100, scenario="scale_1s_1w", metric="rate_bash"),
        a_figure(Unit.PER_SECOND, 150, scenario="scale_2s_2w", metric="rate_bash"),
        a_figure(Unit.PER_SECOND, 150, scenario="scale_2s_2w", metric="rate_bash", backend="other"),
        a_figure(Unit.PER_SECOND, 150, scenario="bash_fan", metric="rate_bash"),
    ]

    assert [(one.key, one.value) for one in gains(rates)] == [(("scale_2s_2w", "gain_bash", "sqlite"), 1.5)]


def test_scenarios_that_share_nodes_are_measured_one_after_the_other() -> None:
    layouts = [layout for layout, _ in groupby(scenario.layout for scenario in SCENARIOS.values())]

    assert len(layouts) == len(set(layouts))


def test_the_standard_set_leaves_out_what_takes_long() -> None:
    assert "history" not in STANDARD and "run_size_10000" not in STANDARD
    assert {"idle_1", "idle_200", "boot", "seq40", "bash_fan", "noop_fan", "schedule_lag"} <= set(STANDARD)


def test_an_embedded_backend_is_one_node_whatever_the_layout() -> None:
    layout = scaled(2, 3)

    assert layout.nodes_on(Backend.SQLITE) == EVERY_ROLE
    assert layout.nodes_on(Backend.POSTGRES_AMQP) == ("api,scheduler", "scheduler", "worker", "worker", "worker")
