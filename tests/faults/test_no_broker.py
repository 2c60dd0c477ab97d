"""The database queue under the same faults: there is no broker to fail, and the ledger is claimed from directly."""

import random
from collections.abc import Iterator

import pytest

from tests.faults.conftest import NewCluster, StartTrial
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.cluster import Cluster

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def brokerless(new_cluster: NewCluster) -> Iterator[Cluster]:
    """A master and two workers that have only the metastore."""
    with new_cluster() as cluster:
        for node, roles in {"master1": "api,scheduler", "worker1": "worker", "worker2": "worker"}.items():
            cluster.add(node, roles, {"FLOWD__QUEUE__URL": "database://"})
        cluster.await_ready()
        cluster.prepare()
        yield cluster


@pytest.mark.soak
@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("action", [Action.KILL, Action.FAIL])
def test_a_claim_that_breaks_off_is_claimed_again(
    brokerless: Cluster, trial: StartTrial, action: Action, moment: Moment, chance: random.Random
) -> None:
    with trial(f"database queue: {action.value} {moment.value} a claim", cluster=brokerless) as it:
        door = "claimer.claim_next.commit"
        brokerless["worker1"].order(Order(door=door, action=action, moment=moment, nth=chance.randint(1, 3)))
        it.trigger(10)
        it.await_obeyed(brokerless["worker1"])


@pytest.mark.soak
def test_a_restart_of_the_metastore(brokerless: Cluster, trial: StartTrial) -> None:
    with trial("database queue: PostgreSQL is killed", cluster=brokerless) as it:
        it.trigger(10)
        it.await_progress(5)
        brokerless.servers.database.kill()
        it.note("SIGKILL of PostgreSQL")
