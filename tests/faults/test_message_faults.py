"""Messages that come often, late, in disorder, altered or forged: none starts what the ledger has not queued."""

import os
import random

import pytest

from tests.faults.conftest import StartTrial
from tests.faults.harness import broken_messages
from tests.faults.harness.broken_messages import Alteration, Interceptor
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.trial import SETTLE_SECONDS

pytestmark = pytest.mark.timeout(3600)

FLOOD_SECONDS = 1200.0

MANY = int(os.environ.get("FLOWD_FAULT_JUNK", "100000"))
ALTERATIONS: dict[str, Alteration] = {
    "ten times each, reordered": broken_messages.ten_times,
    "truncated": broken_messages.truncated,
    "badly signed": broken_messages.badly_signed,
    "another task's": broken_messages.swapped,
    "16 MiB": broken_messages.huge,
    "500 junk ones": broken_messages.junk(500),
}
SHORT = ("ten times each, reordered", "badly signed")


def _alter(
    cluster: Cluster,
    trial: StartTrial,
    alteration: str,
    alter: Alteration,
    deck: random.Random,
    settle_seconds: float = SETTLE_SECONDS,
) -> None:
    workers = [cluster["worker1"], cluster["worker2"]]
    with trial(f"messages {alteration}", settle_seconds=settle_seconds) as it:
        for worker in workers:
            worker.pause()
        cluster.servers.rabbitmq.control("close_all_connections", "what frozen workers hold goes back")
        it.trigger(8, ["journal_chain"])
        post = Interceptor(cluster.servers.wires, cluster.servers.rabbitmq.url, cluster.task_queue)
        altered = alter(post.take(least=8), deck)
        post.put(altered)
        it.note(f"{len(altered)} messages {alteration}")


@pytest.mark.parametrize(
    "alteration", [pytest.param(one, marks=() if one in SHORT else pytest.mark.soak) for one in ALTERATIONS]
)
def test_altered_messages_start_nothing_but_what_is_queued(
    cluster: Cluster, trial: StartTrial, chance: random.Random, alteration: str
) -> None:
    _alter(cluster, trial, alteration, ALTERATIONS[alteration], chance)


@pytest.mark.soak
def test_a_flood_of_junk(cluster: Cluster, trial: StartTrial, chance: random.Random) -> None:
    _alter(cluster, trial, f"{MANY} junk ones", broken_messages.junk(MANY), chance, FLOOD_SECONDS)
