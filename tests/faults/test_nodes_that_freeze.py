"""Nodes that are frozen: what they held is freed, and what they do when they wake changes nothing."""

import time

import pytest

from tests.faults.conftest import StartTrial
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.cluster import Cluster

pytestmark = pytest.mark.timeout(1200)

LEASE_SECONDS = 4.0


@pytest.mark.parametrize(
    "door", ["dispatcher.pass.commit", pytest.param("run_advancer.advance.commit", marks=pytest.mark.soak)]
)
def test_a_scheduler_that_freezes_with_locks_in_its_hand_holds_nobody_up(
    cluster: Cluster, trial: StartTrial, door: str
) -> None:
    with trial(f"SIGSTOP of a scheduler that holds the locks of {door}", is_left_broken=True) as it:
        cluster["master1"].order(Order(door=door, action=Action.STOP, moment=Moment.BEFORE))
        it.trigger(10, urls=[cluster["master2"].process.url])
        it.await_obeyed(cluster["master1"])


def test_a_scheduler_that_freezes_amid_a_statement_holds_nobody_up(cluster: Cluster, trial: StartTrial) -> None:
    # PostgreSQL calls such a session active, and would wait for its node for ever.
    door = "dispatcher.pass.commit"
    with trial(f"SIGSTOP of a scheduler amid a statement, with the locks of {door}", is_left_broken=True) as it:
        cluster["master1"].order(Order(door=door, action=Action.STOP_AMID, moment=Moment.BEFORE))
        it.trigger(10, urls=[cluster["master2"].process.url])
        it.await_obeyed(cluster["master1"])


def test_a_worker_frozen_for_two_leases_is_fenced_and_wakes_to_change_nothing(
    cluster: Cluster, trial: StartTrial
) -> None:
    with trial("SIGSTOP of a worker for two leases") as it:
        it.trigger(4)
        it.trigger(4, ["journal_long"])
        it.await_begun(10)
        cluster["worker1"].pause()
        it.note("SIGSTOP of worker1")
        time.sleep(2 * LEASE_SECONDS)  # the fault itself
