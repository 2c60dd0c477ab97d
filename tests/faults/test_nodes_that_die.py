"""Nodes that are killed: whatever they were doing, others or their successors finish it."""

import pytest

from tests.faults.conftest import StartTrial
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
