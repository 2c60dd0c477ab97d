"""SQS in RabbitMQ's place: it is away, forgets every message, answers half, and no task is forgotten."""

from collections.abc import Callable

import pytest

from tests.faults.conftest import StartTrial
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.link import Harm
from tests.faults.test_broker_faults import LOST, WIRES

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

OUTAGES: dict[str, Callable[[Cluster], object]] = {
    "SQS is killed, and has forgotten every queue": lambda cluster: cluster.servers.broker.kill(),
    "SQS is frozen": lambda cluster: cluster.servers.broker.pause(),
}
CUT: dict[str, Harm] = {
    "cut within a request": lambda proxy: proxy.sever_after(300),
    "cut within an answer": lambda proxy: proxy.to_client.end_after(150),
    "a bit flipped to the node": lambda proxy: proxy.to_client.flip_after(400),
}
"""An HTTP message is longer than a frame of RabbitMQ."""


@pytest.mark.parametrize("outage", OUTAGES)
def test_sqs_fails_and_no_task_is_forgotten(sqs_cluster: Cluster, trial: StartTrial, outage: str) -> None:
    with trial(outage, cluster=sqs_cluster) as it:
        it.trigger(12)
        it.await_progress(4)
        OUTAGES[outage](sqs_cluster)
        it.note(outage)
        it.trigger(2)
        it.await_answers()


@pytest.mark.parametrize("harm", ["reset", "silent both ways", "silent to the node", "refused", *CUT])
def test_a_wire_to_sqs_breaks_on_a_worker_and_on_a_scheduler(
    sqs_cluster: Cluster, trial: StartTrial, harm: str
) -> None:
    with trial(f"wire to SQS {harm}", cluster=sqs_cluster) as it:
        it.trigger(10)
        it.await_progress(4)
        for name in ("worker1", "master1"):
            sqs_cluster[name].links["broker"].act({**WIRES, **CUT}[harm])
            it.note(f"{harm}: {name}")
        it.await_progress(12)


def test_lost_messages_rings_and_receipts_cost_time_and_nothing_else(sqs_cluster: Cluster, trial: StartTrial) -> None:
    with trial("SQS: every 2nd message and ring dropped, every 3rd receipt lost", cluster=sqs_cluster) as it:
        for member in sqs_cluster.members.values():
            member.order(*LOST)
        it.trigger(10)
        it.await_progress(15)
        it.note_obeyed()


def test_a_killed_worker_is_outlived_by_its_tasks_runs(sqs_cluster: Cluster, trial: StartTrial) -> None:
    with trial("SQS: SIGKILL of a worker, which stays dead", cluster=sqs_cluster, is_left_broken=True) as it:
        it.trigger(10)
        it.await_progress(5)
        sqs_cluster["worker1"].kill()
        it.note("SIGKILL of worker1")
