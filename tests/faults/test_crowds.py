"""Many at once: runs, workers, and clients that do not wait for their answers."""

import os
import signal
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.faults.conftest import NewCluster, StartTrial
from tests.faults.harness.cluster import Cluster
from tests.support.node_process import eventually
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.timeout(3600)

WORKERS = int(os.environ.get("FLOWD_FAULT_WORKERS", "50"))
RUNS = int(os.environ.get("FLOWD_FAULT_RUNS", "2000"))
HASTY_CLIENTS = 200


@pytest.fixture
def crowd(new_cluster: NewCluster) -> Iterator[Cluster]:
    """One master and many workers."""
    with new_cluster() as cluster:
        cluster.add("master1", "api,scheduler").process.await_ready()
        for number in range(WORKERS):
            # Each has fewer connections than it would: a server's are numbered.
            cluster.add(
                f"worker{number}", "worker", {"FLOWD__DATABASE__POOL_SIZE": "2", "FLOWD__WORKER__CONCURRENCY": "2"}
            )
        cluster.await_ready(seconds=300)
        cluster.prepare()
        yield cluster


@pytest.mark.soak
def test_many_workers_come_back_at_once(crowd: Cluster, trial: StartTrial) -> None:
    with trial(f"{WORKERS} workers reconnect at once", cluster=crowd, settle_seconds=300) as it:
        it.trigger(60)
        it.await_progress(20)
        for member in crowd.members.values():
            for link in member.links.values():
                link.act(TcpProxy.sever)
        it.note(f"{2 * len(crowd.members)} wires reset")


@pytest.mark.soak
def test_many_runs_at_once(cluster: Cluster, trial: StartTrial) -> None:
    with trial(f"{RUNS} runs at once", settle_seconds=800) as it:
        it.trigger(RUNS, ["journal_flaky"], clients=16)
        it.await_answers(seconds=600)
        it.note("load alone")


def test_a_worker_drains_while_the_metastore_is_away(cluster: Cluster, trial: StartTrial) -> None:
    worker = cluster["worker1"].process
    with trial("SIGTERM of a worker while PostgreSQL is away") as it:
        it.trigger(8)
        it.await_progress(4)
        cluster.servers.database.kill()
        assert worker.process is not None
        worker.process.send_signal(signal.SIGTERM)
        eventually(lambda: '"draining"' in worker.log, "the drain to begin")
        it.note("drain during an outage")
        cluster.servers.database.start()
        code = worker.process.wait(60)

    assert code == 0


def test_clients_that_go_away_leave_no_connection_and_no_lock(cluster: Cluster, trial: StartTrial) -> None:
    with trial(f"{HASTY_CLIENTS} requests cancelled by their clients") as it:
        it.trigger(4)
        for _ in range(HASTY_CLIENTS):
            _ask_and_leave(cluster)
        it.note("requests cancelled")
        it.trigger(6)
        it.await_answers()

    assert cluster.api.request("GET", "/readyz").status_code == 200


def _ask_and_leave(cluster: Cluster) -> None:
    body = b'{"logical_date": null}'
    head = (
        f"POST /api/v2/dags/journal_flaky/dagRuns HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {cluster.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", cluster.api.port), 5) as client:
        # No farewell: a reset, as from a client that was killed.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(head.encode() + body)
