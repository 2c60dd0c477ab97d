"""The acceptance flow on every metastore with every queue: a chain over REST, whose worker dies in the middle."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.checker.check import check
from tests.support.checker.metastore_evidence import evidence_of
from tests.support.checker.violation import Violation
from tests.support.node_process import NodeProcess, eventually

METASTORES = ("sqlite", "postgresql", "mariadb")
QUEUES = ("database", "amqp", "sqs")
COMBINATIONS = [(metastore, queue) for metastore in METASTORES for queue in QUEUES]


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination, as the settings that its nodes have in common."""

    environ: dict[str, str]

    @property
    def is_embedded(self) -> bool:
        return "FLOWD__DATABASE__URL" not in self.environ


@pytest.fixture(params=COMBINATIONS, ids="-".join)
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    """Each combination of a metastore and a queue that fit together."""
    metastore, queue = request.param
    environ = {"FLOWD__LOGS__URL": f"file://{tmp_path / 'logs'}"}
    match metastore:
        case "postgresql":
            environ["FLOWD__DATABASE__URL"] = request.getfixturevalue("postgres_url")
        case "mariadb":
            environ["FLOWD__DATABASE__URL"] = request.getfixturevalue("mariadb_url")
    if metastore != "sqlite":
        environ["FLOWD__DATABASE__AUTO_MIGRATE"] = "true"
    match queue:
        case "amqp":
            environ["FLOWD__QUEUE__URL"] = request.getfixturevalue("amqp_url")
            environ["FLOWD__QUEUE__PREFIX"] = request.getfixturevalue("queue_prefix")
        case "sqs":
            environ["FLOWD__QUEUE__URL"] = "sqs://KEY:SECRET@"
            environ["FLOWD__QUEUE__SQS_REGION"] = "eu-central-1"
            environ["FLOWD__QUEUE__SQS_ENDPOINT_URL"] = request.getfixturevalue("sqs_endpoint")
            environ["FLOWD__QUEUE__PREFIX"] = request.getfixturevalue("queue_prefix")
    return Cell(environ)


@pytest.mark.timeout(1200)
def test_a_chain_ends_well_though_its_worker_is_killed(make_node: MakeNode, cell: Cell, journal: Path) -> None:
    master = make_node("master", "api,scheduler,worker" if cell.is_embedded else "api,scheduler", **cell.environ)
    worker = master if cell.is_embedded else make_node("worker1", "worker", **cell.environ)
    run = master.trigger("chain")
    eventually(journal.exists, "the middle of the chain to run")

    worker.kill()
    Path(f"{journal}.go").touch()
    if cell.is_embedded:
        master.start()
    else:
        make_node("worker2", "worker", **cell.environ)

    eventually(lambda: master.run_state("chain", run) == "success", "the run to succeed")
    tries = {one["task_id"]: (one["state"], one["try_number"]) for one in instances(master, run)}
    assert tries.pop("wait") == ("success", 2), "the try that died with its worker is followed by one, without a retry"
    assert set(tries.values()) == {("success", 1)}
    assert journal.read_text().split() == ["1", "2"]
    assert pulled(master, run, "add_two") == "42"
    assert violations(cell, master) == []
    log = master.get(f"/api/v2/dags/chain/dagRuns/{run}/taskInstances/write/logs/1")
    assert [line["event"] for line in log["content"]] == ["answer 42"]


def violations(cell: Cell, master: NodeProcess) -> list[Violation]:
    """What the ledger shows of the protocol being broken."""
    url = cell.environ.get("FLOWD__DATABASE__URL", f"sqlite:///{master.home}/flowd.db")
    return check(asyncio.run(evidence_of(url)))


def instances(master: NodeProcess, run: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = master.get(f"/api/v2/dags/chain/dagRuns/{run}/taskInstances")["task_instances"]
    return found


def pulled(master: NodeProcess, run: str, task_id: str) -> str:
    entry = master.get(f"/api/v2/dags/chain/dagRuns/{run}/taskInstances/{task_id}/xcomEntries/return_value")
    return str(entry["value"])
