"""Clusters of real nodes on loopback."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.node_process import NodeProcess

DAGS = Path(__file__).parent / "dags"
ROOT = Path(__file__).parents[2]
FAST = {
    "FLOWD__WORKER__HEARTBEAT": "500ms",
    "FLOWD__WORKER__LEASE": "4s",
    "FLOWD__SCHEDULER__RESCUE_INTERVAL": "500ms",
    "FLOWD__WORKER__KILL_GRACE": "1s",
    "FLOWD__DAGS__PAUSED_AT_CREATION": "false",
}

MakeNode = Callable[..., NodeProcess]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def make_node(tmp_path: Path, journal: Path) -> Iterator[MakeNode]:
    """Start nodes that share nothing but what `environ` says; all are gone at the end of the test.

    One that `is_impatient` waits seconds where others wait a minute, as in the fault campaign.
    """
    nodes: list[NodeProcess] = []

    def make(
        name: str, roles: str = "api,scheduler,worker", *, is_impatient: bool = False, **environ: str
    ) -> NodeProcess:
        # Only what has the scheduler role sees the DAG files: workers get them as bundles.
        folder = DAGS if "scheduler" in roles else tmp_path / "no-dags-here"
        settings = {**FAST, "FLOWD__DAGS__FOLDER": str(folder), "JOURNAL": str(journal), **environ}
        node = NodeProcess(home=tmp_path / name, roles=roles, environ=settings)
        if is_impatient:
            node.module = "tests.faults.node"
            node.environ = {**settings, "PYTHONPATH": str(ROOT)}
        nodes.append(node)
        return node.start()

    yield make
    for node in nodes:
        node.destroy()


@pytest.fixture
def shared(tmp_path: Path, postgres_url: str, amqp_url: str, queue_prefix: str) -> dict[str, str]:
    """What the nodes of one cluster have in common: metastore, broker, and the folder of the logs."""
    return {
        "FLOWD__DATABASE__URL": postgres_url,
        "FLOWD__DATABASE__AUTO_MIGRATE": "true",
        "FLOWD__QUEUE__URL": amqp_url,
        "FLOWD__QUEUE__PREFIX": queue_prefix,
        "FLOWD__LOGS__URL": f"file://{tmp_path / 'logs'}",
    }
