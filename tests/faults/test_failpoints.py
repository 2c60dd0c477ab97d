"""SIGKILL of a node at each of its doors, before and after: generated from the source."""

import random

import pytest

from tests.faults.conftest import StartTrial
from tests.faults.failpoints.door import doors_of
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.cluster import Cluster
from tests.faults.provocations import PROVOCATIONS, work

pytestmark = pytest.mark.timeout(1200)

SHORT = {
    ("dispatcher.pass.commit", Moment.AFTER),
    ("claimer.claim.commit", Moment.AFTER),
    ("spool.keeping", Moment.AFTER),
}
STEADY = (
    "dispatcher.pass",
    "run_advancer.",
    "claimer.claim.",
    "reporter.write",
    "heartbeat.",
    "delivery.ack",
    "spool.",
)
"""Doors that a node comes through all the time."""
OTHER_QUEUES = {"claimer.claim_next.commit"}
"""Doors of workers that have no broker; `test_no_broker` kills there."""

SCHEDULERS, WORKERS = ("master1", "master2"), ("worker1", "worker2")
PLACES = [
    pytest.param(role, door, moment, marks=() if (door, moment) in SHORT else pytest.mark.soak)
    for role in ("scheduler", "worker")
    for door in doors_of(role)
    if door not in OTHER_QUEUES
    for moment in Moment
]


MARIADB_PLACES = [
    (role, door, moment)
    for role in ("scheduler", "worker")
    for door in doors_of(role, "commit")
    if door not in OTHER_QUEUES
    for moment in Moment
]
SQS_PLACES = [
    *(("scheduler", door, moment) for door in doors_of("scheduler", "publish") for moment in Moment),
    *(("worker", door, moment) for door in ("claimer.claim.commit", "delivery.ack") for moment in Moment),
]


@pytest.mark.parametrize(("role", "door", "moment"), PLACES)
def test_a_node_that_dies_at_a_door_leaves_nothing_undone(
    cluster: Cluster, trial: StartTrial, role: str, door: str, moment: Moment, chance: random.Random
) -> None:
    _die(cluster, trial, role, door, moment, chance, "")


@pytest.mark.soak
@pytest.mark.parametrize(("role", "door", "moment"), MARIADB_PLACES)
def test_nor_does_one_whose_metastore_is_on_mariadb(
    mariadb_cluster: Cluster, trial: StartTrial, role: str, door: str, moment: Moment, chance: random.Random
) -> None:
    _die(mariadb_cluster, trial, role, door, moment, chance, "MariaDB: ")


@pytest.mark.soak
@pytest.mark.parametrize(("role", "door", "moment"), SQS_PLACES)
def test_nor_does_one_whose_queue_is_sqs(
    sqs_cluster: Cluster, trial: StartTrial, role: str, door: str, moment: Moment, chance: random.Random
) -> None:
    _die(sqs_cluster, trial, role, door, moment, chance, "SQS: ")


def _die(
    cluster: Cluster, trial: StartTrial, role: str, door: str, moment: Moment, chance: random.Random, where: str
) -> None:
    provoke = next(act for agent, act in PROVOCATIONS.items() if door.startswith(agent))
    # Under steady work any passage will do; what has to be provoked may come through its door only once.
    nth = chance.randint(1, 3) if provoke is work and door.startswith(STEADY) else 1
    members = [cluster[name] for name in (SCHEDULERS if role == "scheduler" else WORKERS)]
    with trial(f"{where}SIGKILL {moment.value} {door}", cluster=cluster) as it:
        for member in members:
            member.order(Order(door=door, action=Action.KILL, moment=moment, nth=nth))
        provoke(it)
        it.await_obeyed(*members, action=Action.KILL)
        for member in members:
            member.order()
