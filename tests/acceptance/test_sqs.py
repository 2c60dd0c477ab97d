"""A cluster on PostgreSQL and SQS: a worker dies, SQS goes away and forgets everything, and nothing is lost."""

from collections import Counter
from pathlib import Path

import pytest

from bench.cluster.free_port import free_port
from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually, read_journal
from tests.support.services import SqsServer

RUNS = 30
SECRET = "an-aws-secret-access-key"


@pytest.fixture
def port() -> int:
    """Where SQS is, once it is started."""
    return free_port()


@pytest.fixture
def on_sqs(shared: dict[str, str], port: int) -> dict[str, str]:
    """The nodes of one cluster on SQS."""
    return {
        **shared,
        "FLOWD__QUEUE__URL": f"sqs://KEY:{SECRET}@",
        "FLOWD__QUEUE__PREFIX": shared["FLOWD__QUEUE__PREFIX"].rstrip("."),
        "FLOWD__QUEUE__SQS_REGION": "eu-central-1",
        "FLOWD__QUEUE__SQS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


def succeeded(api: NodeProcess) -> int:
    stats = api.get("/api/v2/dagStats", dag_ids="ten_tasks")["dags"][0]["stats"]
    return Counter({one["state"]: one["count"] for one in stats})["success"]


@pytest.mark.timeout(1200)
def test_runs_survive_the_death_of_a_worker_and_an_sqs_that_forgets(
    make_node: MakeNode, on_sqs: dict[str, str], port: int, journal: Path
) -> None:
    # The node starts, and takes triggers, while there is no SQS. What SQS forgets, it rings for again in seconds.
    master = make_node("master", "api,scheduler", is_impatient=True, **on_sqs)
    worker1 = make_node("worker1", "worker", **on_sqs)
    make_node("worker2", "worker", **on_sqs)
    runs = [master.trigger("ten_tasks") for _ in range(RUNS)]

    with SqsServer.started(port):
        eventually(lambda: len(read_journal(journal)) > 60, "the first tasks to run")
        worker1.kill()
        eventually(lambda: len(read_journal(journal)) > 150, "the work to go on")
    with SqsServer.started(port):
        eventually(lambda: succeeded(master) == RUNS, "every run to succeed")

    entries = read_journal(journal)
    begun = Counter((one["run"], one["task"], one["try"]) for one in entries if one["event"] == "begin")
    assert set(begun.values()) == {1}, "a try began twice"
    assert {one["run"] for one in entries} == set(runs)
    assert SECRET not in master.log


def test_a_node_without_a_region_ends_with_the_code_for_its_configuration(
    make_node: MakeNode, on_sqs: dict[str, str], tmp_path: Path
) -> None:
    environ = {**on_sqs, "FLOWD__QUEUE__SQS_REGION": "", "AWS_CONFIG_FILE": "/dev/null"}

    with pytest.raises(AssertionError, match="the node ended at once with 78"):
        make_node("worker", "worker", **environ)

    assert "set FLOWD__QUEUE__SQS_REGION" in (tmp_path / "worker" / "node.log").read_text()
