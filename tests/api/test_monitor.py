"""Health, readiness, version and metrics."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import flowd
from flowd.api import metrics
from flowd.db.ledger import read, write
from flowd.db.metastore import Metastore
from flowd.db.nodes import Node, say_hello
from flowd.domain.dag_run import DagRun, RunEvent
from flowd.domain.errors import MetastoreUnavailable
from flowd.domain.task_events import Queued, Scheduled
from tests.api.cluster import Cluster, a_cluster
from tests.support.specs import a_dag, a_task


def value(text: str, sample: str) -> float:
    """What the exposition says of one sample."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{sample} ")]
    return float(line.rpartition(" ")[2])


async def end(cluster: Cluster, run: DagRun, *, claims: str) -> None:
    """Fail a run while one of its tasks still runs."""
    await cluster.claim((await cluster.start(run))[claims])
    async with cluster.metastore.transaction() as tx:
        current = await read.run(tx, run.key)
        await write.apply_to_runs(tx, [(current, RunEvent.FAILED)], await tx.now())


async def say_hello_as(cluster: Cluster, *roles: str) -> None:
    node = Node(id="n1", host="master1", pid=1, roles=roles, started_at=datetime(2026, 1, 1, tzinfo=UTC))
    async with cluster.metastore.transaction() as tx:
        await say_hello(tx, node)


async def test_a_node_is_ready_until_a_part_of_it_is_not(cluster: Cluster) -> None:
    ready = await cluster.anonymous.get("/readyz")
    cluster.parts.not_ready["node"] = "it drains"
    draining = await cluster.anonymous.get("/readyz")

    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "problems": {}})
    assert draining.status_code == 503
    assert draining.json() == {"status": "not ready", "problems": {"node": "it drains"}}


async def test_without_its_metastore_a_node_is_alive_but_not_ready(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: Metastore) -> None:
        raise MetastoreUnavailable("it is away")

    monkeypatch.setattr(Metastore, "reading", away)

    assert (await cluster.anonymous.get("/livez")).json() == {"status": "alive"}
    assert (await cluster.anonymous.get("/readyz")).json()["problems"] == {"metastore": "it is away"}
    health = (await cluster.anonymous.get("/api/v2/monitor/health")).json()
    assert health["metadatabase"] == {"status": "unhealthy"}
    assert "flowd_metastore_up 0.0" in (await cluster.anonymous.get("/metrics")).text


async def test_health_tells_when_a_scheduler_was_last_seen(either: Cluster) -> None:
    before = (await either.anonymous.get("/api/v2/monitor/health")).json()

    await say_hello_as(either, "api", "scheduler")
    after = (await either.anonymous.get("/api/v2/monitor/health")).json()

    assert before["scheduler"] == {"status": "unhealthy", "latest_scheduler_heartbeat": None}
    assert before["metadatabase"] == {"status": "healthy"}
    assert after["scheduler"]["status"] == "healthy"
    assert datetime.fromisoformat(after["scheduler"]["latest_scheduler_heartbeat"]).tzinfo is not None
    assert after["dag_processor"]["status"] == "healthy"
    assert after["triggerer"] == {"status": None, "latest_triggerer_heartbeat": None}


async def test_the_version_is_that_of_the_package(cluster: Cluster) -> None:
    answer = await cluster.anonymous.get("/api/v2/version")

    assert answer.json() == {"version": flowd.__version__, "git_version": None}


async def test_metrics_count_requests_by_route_and_live_work_by_state(either: Cluster) -> None:
    await say_hello_as(either, "worker")
    instances = await either.start(await either.trigger())
    await either.claim(instances["extract"])
    await either.viewer.get("/api/v2/dags/etl")
    await either.anonymous.get("/no/such/path/1")

    text = (await either.anonymous.get("/metrics")).text

    assert 'flowd_task_instances{state="running"} 1.0' in text
    assert 'flowd_dag_runs{state="running"} 1.0' in text
    assert 'flowd_nodes{role="worker"} 1.0' in text
    assert 'flowd_http_requests_total{method="GET",route="/api/v2/dags/{dag_id}",status="200"} 1.0' in text
    assert 'flowd_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert "/no/such/path" not in text


async def test_metrics_tell_of_queues_pools_workers_and_of_what_ended_lately(either: Cluster) -> None:
    await say_hello_as(either, "worker")
    one = await either.start(await either.trigger())
    await either.happen(one["extract"], Scheduled(), Queued())
    await end(either, await either.trigger(run_id="two"), claims="extract")

    text = (await either.anonymous.get("/metrics")).text

    assert 'flowd_queued_task_instances{queue="default"} 1.0' in text
    assert 'flowd_queue_paused{queue="default"} 0.0' in text
    assert 0 <= value(text, 'flowd_queue_oldest_seconds{queue="default"}') < 60
    assert 'flowd_workers{state="active"} 1.0' in text
    assert 'flowd_pool_slots_by_state{pool="default_pool",state="running"} 1.0' in text
    assert 'flowd_recent_dag_runs{state="failed"} 1.0' in text
    assert 'flowd_recent_dag_runs{state="success"} 0.0' in text
    assert 0 <= value(text, 'flowd_recent_dag_run_seconds{state="failed"}') < 60
    assert value(text, "flowd_import_errors") == 0
    assert 0 <= value(text, 'flowd_heartbeat_age_seconds{role="worker"}') < 60


async def test_metrics_name_dags_only_where_that_is_wanted_and_no_more_than_the_busiest(
    metastore: Metastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MOST_DAGS", 1)
    async with a_cluster(metastore, tmp_path, given={"FLOWD__METRICS__BY_DAG": "true"}) as cluster:
        await cluster.save(a_dag(a_task("extract"), dag_id="etl"), a_dag(a_task("extract"), dag_id="quiet"))
        for run_id in ("one", "two"):
            await cluster.claim((await cluster.start(await cluster.trigger(run_id=run_id)))["extract"])
        await end(cluster, await cluster.trigger("quiet"), claims="extract")
        text = (await cluster.anonymous.get("/metrics")).text

    assert 'flowd_task_instances{dag_id="etl",state="running"} 2.0' in text
    assert 'flowd_task_instances{dag_id="(other)",state="running"} 1.0' in text
    assert 'flowd_dag_runs{dag_id="etl",state="running"} 2.0' in text
    assert 'flowd_recent_dag_runs{dag_id="(other)",state="failed"} 1.0' in text
    assert "quiet" not in text


async def test_the_openapi_document_describes_the_api_and_not_the_pages(cluster: Cluster) -> None:
    document = (await cluster.anonymous.get("/openapi.json")).json()

    names = {parameter["name"] for parameter in document["paths"]["/api/v2/dags"]["get"]["parameters"]}
    assert {"limit", "offset", "order_by", "dag_id_pattern", "tags", "exclude_stale"} <= names
    assert "/login" not in document["paths"]
