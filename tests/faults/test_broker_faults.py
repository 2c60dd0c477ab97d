"""A broker that restarts, dies, loses queues or says stop: it is a doorbell, and the ledger knows what to ring for."""

from collections.abc import Callable

import pytest

from tests.faults.conftest import StartTrial
from tests.faults.failpoints.order import Action, Order
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.link import Harm
from tests.faults.harness.rabbitmq import RabbitmqProcess
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.timeout(1200)


def _alarm(rabbitmq: RabbitmqProcess) -> None:
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1MB")


def _all_clear(rabbitmq: RabbitmqProcess) -> None:
    rabbitmq.control("set_vm_memory_high_watermark", "0.4")


OUTAGES: dict[str, Callable[[Cluster], object]] = {
    "RabbitMQ is killed": lambda cluster: cluster.servers.rabbitmq.kill(),
    "RabbitMQ restarts": lambda cluster: cluster.servers.rabbitmq.restart(),
    "the task queue is purged": lambda cluster: cluster.servers.rabbitmq.control("purge_queue", cluster.task_queue),
    "the task queue is deleted": lambda cluster: cluster.servers.rabbitmq.control("delete_queue", cluster.task_queue),
    "every connection is closed": lambda cluster: cluster.servers.rabbitmq.control(
        "close_all_connections", "fault campaign"
    ),
    "RabbitMQ is frozen": lambda cluster: cluster.servers.rabbitmq.pause(),
}
SHORT = ("RabbitMQ is killed", "the task queue is deleted")


@pytest.mark.parametrize(
    "outage", [pytest.param(one, marks=() if one in SHORT else pytest.mark.soak) for one in OUTAGES]
)
def test_the_broker_fails_and_no_task_is_forgotten(cluster: Cluster, trial: StartTrial, outage: str) -> None:
    with trial(outage) as it:
        it.trigger(12)
        it.await_progress(4)
        OUTAGES[outage](cluster)
        it.note(outage)
        it.trigger(2)
        it.await_answers()


@pytest.mark.soak
def test_a_memory_alarm_holds_publishers_back_and_triggers_go_on(cluster: Cluster, trial: StartTrial) -> None:
    with trial("RabbitMQ's memory alarm") as it:
        it.trigger(6)
        it.await_progress(3)
        _alarm(cluster.servers.rabbitmq)
        it.on_heal(lambda: _all_clear(cluster.servers.rabbitmq))
        it.note("memory alarm")
        it.trigger(4)
        it.await_answers()


LOST = (
    Order(door="dispatcher.publish.publish", action=Action.DROP, every=2),
    Order(door="redeliverer.step.publish", action=Action.DROP, every=2),
    Order(door="reporter.write.ring", action=Action.DROP, every=2),
    Order(door="trigger_run.ring", action=Action.DROP, every=2),
    Order(door="delivery.ack", action=Action.FAIL, every=3),
)


def test_lost_messages_rings_and_receipts_cost_time_and_nothing_else(cluster: Cluster, trial: StartTrial) -> None:
    with trial("every 2nd message and ring dropped, every 3rd receipt lost") as it:
        for member in cluster.members.values():
            member.order(*LOST)
        it.trigger(10)
        it.await_progress(15)
        it.note_obeyed()


WIRES: dict[str, Harm] = {
    "reset": TcpProxy.sever,
    "silent both ways": TcpProxy.blackhole,
    "silent to the node": lambda proxy: proxy.to_client.hold(),
    "silent to the broker": lambda proxy: proxy.to_server.hold(),
    "half open": TcpProxy.orphan,
    "refused": TcpProxy.refuse,
    "cut within a frame": lambda proxy: proxy.sever_after(50),
    "a bit flipped to the broker": lambda proxy: proxy.to_server.flip_after(120),
    "a bit flipped to the node": lambda proxy: proxy.to_client.flip_after(120),
}


@pytest.mark.soak
@pytest.mark.parametrize("harm", WIRES)
def test_a_wire_to_the_broker_breaks_on_a_worker_and_on_a_scheduler(
    cluster: Cluster, trial: StartTrial, harm: str
) -> None:
    with trial(f"wire to the broker {harm}") as it:
        it.trigger(10)
        it.await_progress(4)
        for name in ("worker1", "master1"):
            cluster[name].links["broker"].act(WIRES[harm])
            it.note(f"{harm}: {name}")
        it.await_progress(12)
