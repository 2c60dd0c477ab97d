"""Nodes that are killed: whatever they were doing, others or their successors finish it."""

import pytest

from flowd.domain.states import RunState
from tests.faults.conftest import StartTrial
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.cluster import Cluster

pytestmark = pytest.mark.timeout(1200)


def test_a_killed_worker_is_outlived_by_its_tasks_runs(cluster: Cluster, trial: StartTrial) -> None:
    with trial("SIGKILL of a worker, which stays dead", is_left_broken=True) as it:
        it.trigger(10)
        it.await_progress(5)
        cluster["worker1"].kill()
        it.note("SIGKILL of worker1")


def test_a_killed_keeper_is_replaced_and_its_tries_run_again(cluster: Cluster, trial: StartTrial) -> None:
    with trial("SIGKILL of a keeper", is_left_broken=True) as it:
        it.trigger(10)
        it.await_progress(5)
        cluster["worker1"].kill_keeper()
        it.note("SIGKILL of worker1's keeper")


def test_all_schedulers_may_die_and_what_was_triggered_waits(cluster: Cluster, trial: StartTrial) -> None:
    with trial("SIGKILL of all schedulers, and of all APIs with them") as it:
        it.trigger(10)
        it.await_progress(5)
        for name in ("master1", "master2"):
            cluster[name].kill()
            it.note(f"SIGKILL of {name}")


@pytest.mark.parametrize("moment", [pytest.param(Moment.BEFORE, marks=pytest.mark.soak), Moment.AFTER])
def test_an_api_that_dies_around_its_commit_makes_one_run(cluster: Cluster, trial: StartTrial, moment: Moment) -> None:
    with trial(f"SIGKILL of an API {moment.value} its commit, request repeated under its key") as it:
        cluster["master1"].order(Order(door="trigger_run.attempt.commit", action=Action.KILL, moment=moment))
        load = it.trigger(6)
        it.await_obeyed(cluster["master1"])

    assert len(set(load.runs)) == 6
    assert any(told.outcome == "unknown" for told in load.told)
    assert {cluster.ledger.run_states()[run] for run in load.runs} == {RunState.SUCCESS}
