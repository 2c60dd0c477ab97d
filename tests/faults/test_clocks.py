"""Clocks that jump: the metastore's for everyone at once, or one node's own."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.faults.conftest import NewCluster, StartTrial
from tests.faults.harness.broken_messages import Interceptor
from tests.faults.harness.cluster import NOTHING, Cluster
from tests.faults.harness.postgres import PostgresProcess
from tests.faults.harness.trial import SETTLE_SECONDS
from tests.faults.node import CLOCK_SHIFT

pytestmark = pytest.mark.timeout(1200)

SHIFTS = {"an hour": timedelta(hours=1), "400 days": timedelta(days=400)}
SHORTEST_SHIFT_US = 3_000 * 1_000_000
DAGS = ("journal_chain", "journal_fan")
PATIENT = {"FLOWD__WORKER__LEASE": "60s"}


@contextmanager
def a_pair_of_schedulers(new_cluster: NewCluster, other: Mapping[str, str] = NOTHING) -> Iterator[Cluster]:
    """A small cluster that nobody uses afterwards: what a clock has done cannot be undone.

    Its leases are long: a task that is lost there has been lost to a clock, and not to a busy machine.
    """
    with new_cluster() as cluster:
        cluster.add("master1", "api,scheduler", PATIENT)
        cluster.add("worker1", "worker", PATIENT)
        cluster.add("other", "scheduler,worker", {**PATIENT, **other})
        cluster.await_ready()
        cluster.prepare()
        yield cluster


@pytest.mark.soak
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("shift", ["1 hour", "400 days"])
def test_the_metastores_clock_jumps_and_nobody_is_given_up(
    new_cluster: NewCluster, trial: StartTrial, shift: str, sign: str
) -> None:
    with a_pair_of_schedulers(new_cluster) as cluster:
        postgres = cluster.servers.database
        assert isinstance(postgres, PostgresProcess)
        with trial(f"database clock {sign or '+'}{shift}", cluster=cluster, is_clock_steady=False) as it:
            it.trigger(4, ["journal_long"])
            it.await_begun(8)
            postgres.move_clock(cluster.name, f"{sign}{shift}")
            it.note(f"database clock {sign or '+'}{shift}")
            it.trigger(6, DAGS)
            it.await_progress(20)

        ((written_us,),) = cluster.ledger.rows("SELECT queued_at FROM dag_run ORDER BY id DESC LIMIT 1")
        assert abs(written_us - time.time_ns() // 1000) > SHORTEST_SHIFT_US, "the clock did not move"
        lost = "SELECT COUNT(*) FROM task_transition WHERE cause = 'lost'"
        assert cluster.ledger.rows(lost) == [(0,)], "a jump of the clock was taken for a worker's death"


@pytest.mark.soak
def test_messages_that_come_an_hour_late_start_nothing(new_cluster: NewCluster, trial: StartTrial) -> None:
    with a_pair_of_schedulers(new_cluster) as cluster:
        postgres, rabbitmq = cluster.servers.database, cluster.servers.rabbitmq
        assert isinstance(postgres, PostgresProcess)
        with trial("messages an hour late", cluster=cluster, is_clock_steady=False) as it:
            post = Interceptor(cluster.servers.wires, rabbitmq.url, cluster.task_queue)
            for name in ("worker1", "other"):
                cluster[name].pause()
            rabbitmq.control("close_all_connections", "what frozen workers hold goes back")
            it.trigger(8, ["journal_chain"])
            late = post.take(least=4)
            for name in ("worker1", "other"):
                cluster[name].resume()
            # Their tasks are rung for again, and run.
            it.await_progress(24)
            postgres.move_clock(cluster.name, "1 hour")
            begun = it.trigger(4, ["journal_chain"])
            post.put(late)
            it.note(f"{len(late)} messages an hour late")
            begun.join(SETTLE_SECONDS)


@pytest.mark.soak
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_node_with_a_wrong_clock_works_as_any_other(
    new_cluster: NewCluster, trial: StartTrial, shift: str, sign: int
) -> None:
    words = f"{shift} {'ahead' if sign > 0 else 'behind'}"
    with a_pair_of_schedulers(new_cluster, {CLOCK_SHIFT: str(sign * SHIFTS[shift].total_seconds())}) as cluster:
        with trial(f"a node's clock {words}", cluster=cluster) as it:
            it.note(f"a node's clock {words}")
            it.trigger(12)
            it.await_progress(20)

        assert cluster["other"].book.passed >= {"claimer.claim.commit", "reporter.write_once.commit"}
