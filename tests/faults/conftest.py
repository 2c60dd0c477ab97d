"""Servers, clusters and trials for the scenarios, and the table of results at their end."""

import os
import random
import secrets
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness.broker_server import BrokerServer
from tests.faults.harness.cluster import Cluster, Servers
from tests.faults.harness.database_server import DatabaseServer
from tests.faults.harness.loop_thread import LoopThread
from tests.faults.harness.mariadb import MariadbProcess
from tests.faults.harness.postgres import PostgresProcess
from tests.faults.harness.rabbitmq import RabbitmqProcess
from tests.faults.harness.result_table import PROPERTY
from tests.faults.harness.server_process import ServerMissing
from tests.faults.harness.sqs import SqsProcess
from tests.faults.harness.trial import Trial

SEED_VARIABLE = "FLOWD_FAULT_SEED"

StartTrial = Callable[..., Any]
NewCluster = Callable[..., Cluster]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep scenarios that share a cluster to one process of a parallel run.

    The short campaign is one group: its servers take longer to start than others would save. The long one has a group
    for each test function, so that each process of the run has a cluster of its own.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            is_long = item.get_closest_marker("soak") is not None
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("[")[0] if is_long else "faults"))


@pytest.fixture(scope="session")
def seed(testrun_uid: str) -> int:
    """The seed of this session, the same in all processes of a parallel one; FLOWD_FAULT_SEED repeats one."""
    return int(os.environ.get(SEED_VARIABLE) or zlib.crc32(testrun_uid.encode()) >> 1)


@pytest.fixture(scope="session")
def fault_folder() -> Iterator[Path]:
    """A folder that the servers' own users can reach."""
    with tempfile.TemporaryDirectory(prefix="flowd-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def servers(fault_folder: Path) -> Iterator[Servers]:
    """Private servers, up for the whole session."""
    with ExitStack() as stack:
        wires = stack.enter_context(LoopThread())
        try:
            postgres = stack.enter_context(PostgresProcess(fault_folder / "postgres"))
            rabbitmq = stack.enter_context(RabbitmqProcess(fault_folder / "rabbitmq"))
        except ServerMissing as absence:
            pytest.fail(str(absence), pytrace=False)
        yield Servers(wires=wires, database=postgres, broker=rabbitmq)


@pytest.fixture(scope="session")
def mariadb(fault_folder: Path) -> Iterator[MariadbProcess]:
    """A private MariaDB, for those who ask for it."""
    try:
        server = MariadbProcess(fault_folder / "mariadb").__enter__()
    except ServerMissing as absence:
        pytest.fail(str(absence), pytrace=False)
    with ExitStack() as stack:
        stack.push(server)
        yield server


@pytest.fixture(scope="session")
def new_cluster(servers: Servers, fault_folder: Path) -> NewCluster:
    """Call it for the context of a cluster without nodes, whose names are its own: `with new_cluster() as cluster`."""

    def make(
        *, logs: Path | None = None, database: DatabaseServer | None = None, broker: BrokerServer | None = None
    ) -> Cluster:
        name = f"cluster_{secrets.token_hex(4)}"
        (fault_folder / name).mkdir()
        chosen = replace(servers, database=database or servers.database, broker=broker or servers.broker)
        return Cluster(chosen, fault_folder / name, name=name, logs=logs)

    return make


@pytest.fixture(scope="session")
def cluster(new_cluster: NewCluster) -> Iterator[Cluster]:
    """Two masters and two workers; each scenario leaves them whole."""
    with new_cluster() as cluster:
        cluster.start()
        yield cluster


@pytest.fixture(scope="session")
def mariadb_cluster(new_cluster: NewCluster, mariadb: MariadbProcess) -> Iterator[Cluster]:
    """The same on MariaDB."""
    with new_cluster(database=mariadb) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture(scope="session")
def sqs_cluster(new_cluster: NewCluster, fault_folder: Path) -> Iterator[Cluster]:
    """The same on SQS instead of RabbitMQ."""
    with SqsProcess(fault_folder / "sqs") as sqs, new_cluster(broker=sqs) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture
def trial(cluster: Cluster, seed: int, request: pytest.FixtureRequest) -> StartTrial:
    """Call it for the context of a scenario: `with trial("worker killed") as it`."""

    @contextmanager
    def start(scenario: str, **options: Any) -> Iterator[Trial]:
        with Trial(**{"cluster": cluster, "scenario": scenario, "seed": seed, **options}) as it:
            yield it
        if it.result is not None:
            request.node.user_properties.append((PROPERTY, it.result.to_json()))

    return start


@pytest.fixture
def chance(seed: int, request: pytest.FixtureRequest) -> random.Random:
    """Random choices of this test, which the seed repeats."""
    return random.Random(f"{seed} {request.node.name}")
