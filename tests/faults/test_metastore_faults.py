"""A metastore that restarts, dies, falls silent or answers too late: nothing is lost, nothing runs twice."""

import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import StartTrial
from tests.faults.failpoints.door import catalogue
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.link import Harm
from tests.faults.harness.quarrel import quarrelling
from tests.support.node_process import eventually
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.timeout(1200)

RUNS = "/api/v2/dags/journal_chain/dagRuns"
OUTAGES: dict[str, Callable[[Cluster], object]] = {
    "restarts": lambda cluster: cluster.servers.database.restart(),
    "is killed": lambda cluster: cluster.servers.database.kill(),
    "is frozen": lambda cluster: cluster.servers.database.pause(),
    "ends every connection": lambda cluster: cluster.servers.database.terminate_connections(cluster.name),
}
SHORT_OUTAGES = ("is killed",)


@pytest.fixture(params=["PostgreSQL", pytest.param("MariaDB", marks=pytest.mark.soak)])
def cluster(request: pytest.FixtureRequest, cluster: Cluster) -> Cluster:
    """The cluster on each database."""
    if request.param == "PostgreSQL":
        return cluster
    chosen: Cluster = request.getfixturevalue("mariadb_cluster")
    return chosen


@pytest.mark.parametrize(
    "outage", [pytest.param(one, marks=() if one in SHORT_OUTAGES else pytest.mark.soak) for one in OUTAGES]
)
def test_a_metastore_that_comes_back_finds_everyone_where_they_were(
    cluster: Cluster, trial: StartTrial, outage: str
) -> None:
    with trial(f"{cluster.servers.database.name} {outage}") as it:
        it.trigger(10)
        it.await_progress(5)
        OUTAGES[outage](cluster)
        it.note(outage)
        if outage == "is frozen":
            time.sleep(FAULT_SECONDS)  # the fault itself


def _outage(cluster: Cluster, trial: StartTrial, seconds: float) -> None:
    with trial(
        f"{cluster.servers.database.name} is away for {seconds:g} s, longer than a lease", settle_seconds=120
    ) as it:
        it.trigger(6)
        it.trigger(4, ["journal_long"])
        it.await_progress(5)
        cluster.servers.database.kill()
        it.note(f"outage of {seconds:g} s")
        refused = cluster["master1"].process.request("POST", RUNS, json={"logical_date": None})
        alive = cluster["master1"].process.request("GET", "/livez")
        time.sleep(seconds)  # the fault itself: nothing happens that could be waited for

    assert (refused.status_code, alive.status_code) == (503, 200)
    assert "Retry-After" in refused.headers


def test_an_outage_longer_than_every_lease_declares_nobody_dead_twice(cluster: Cluster, trial: StartTrial) -> None:
    _outage(cluster, trial, 6)


@pytest.mark.soak
def test_an_outage_of_a_minute(cluster: Cluster, trial: StartTrial) -> None:
    _outage(cluster, trial, 60)


def test_the_answer_to_every_fourth_commit_is_lost_and_every_seventh_fails(cluster: Cluster, trial: StartTrial) -> None:
    commits = [door.name for door in catalogue() if door.kind == "commit"]
    with trial(
        f"{cluster.servers.database.name}: every 4th answer to a COMMIT lost, every 7th COMMIT failed",
        settle_seconds=120,
    ) as it:
        for member in cluster.members.values():
            member.order(
                *(Order(door=door, action=Action.FAIL, moment=Moment.AFTER, every=4) for door in commits),
                *(Order(door=door, action=Action.FAIL, moment=Moment.BEFORE, every=7) for door in commits),
            )
        it.trigger(12)
        it.await_progress(30)  # of the 36 ends that 12 runs have at least, whichever DAGs the seed deals
        it.note_obeyed()


WIRES: dict[str, Harm] = {
    "reset": TcpProxy.sever,
    "silent both ways": TcpProxy.blackhole,
    "silent to the node": lambda proxy: proxy.to_client.hold(),
    "silent to the server": lambda proxy: proxy.to_server.hold(),
    "half open: the server believes in dead clients": TcpProxy.orphan,
    "refused": TcpProxy.refuse,
    "cut within a statement": lambda proxy: proxy.sever_after(700),
    "cut within an answer": lambda proxy: proxy.to_client.end_after(700),
    "cut between COMMIT and its answer": lambda proxy: proxy.lose_answer_to(b"COMMIT"),
    "a bit flipped to the server": lambda proxy: proxy.to_server.flip_after(900),
    "a bit flipped to the node": lambda proxy: proxy.to_client.flip_after(900),
    "half a second late": lambda proxy: _delay(proxy, 0.5),
}
SHORT_WIRES = ("silent both ways",)
FAULT_SECONDS = 5.0


def _delay(proxy: TcpProxy, seconds: float) -> None:
    proxy.to_client.delay_seconds = seconds


@pytest.mark.parametrize(
    "harm", [pytest.param(one, marks=() if one in SHORT_WIRES else pytest.mark.soak) for one in WIRES]
)
def test_a_wire_to_the_metastore_breaks_on_a_worker_and_on_a_scheduler(
    cluster: Cluster, trial: StartTrial, harm: str
) -> None:
    with trial(f"wire to {cluster.servers.database.name} {harm}") as it:
        it.trigger(10)
        it.await_progress(4)
        for name in ("worker1", "master1"):
            cluster[name].links["metastore"].act(WIRES[harm])
            it.note(f"{harm}: {name}")
        time.sleep(FAULT_SECONDS)  # the fault itself


def test_deadlocks_and_long_locks_by_somebody_else_are_ridden_out(cluster: Cluster, trial: StartTrial) -> None:
    with trial(f"{cluster.servers.database.name}: another session takes locks in the wrong order") as it:
        database = cluster.servers.database
        before = database.count_deadlocks()
        with quarrelling(cluster.servers.wires, cluster.ledger):
            it.trigger(40, ["journal_fan"])
            eventually(lambda: database.count_deadlocks() > before, "a deadlock")
        it.note("deadlocks")
