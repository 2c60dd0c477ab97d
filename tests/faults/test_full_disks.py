"""Disks that fill up under logs, under a worker's own folder, and under SQLite."""

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowd.domain.states import RunState
from tests.faults.conftest import NewCluster, StartTrial
from tests.faults.harness.cluster import FAST, ROOT
from tests.faults.harness.small_disk import CannotMount, SmallDisk
from tests.support.checker.check import check
from tests.support.checker.metastore_evidence import evidence_of
from tests.support.node_process import NodeProcess, eventually

pytestmark = pytest.mark.timeout(1200)

NewDisk = Callable[[], SmallDisk]
DAGS = Path(__file__).parent / "dags"


@pytest.fixture
def new_disk(fault_folder: Path) -> Iterator[NewDisk]:
    """Call it for a file system of 24 MB."""
    disks: list[SmallDisk] = []

    def make() -> SmallDisk:
        try:
            disks.append(SmallDisk(fault_folder / f"disk_{secrets.token_hex(4)}", megabytes=24))
        except CannotMount as refusal:
            pytest.skip(f"a small disk cannot be mounted here: {refusal}")
        return disks[-1]

    yield make
    for disk in disks:
        disk.unmount()


def test_disks_that_fill_up_under_a_worker_cost_no_run(
    new_cluster: NewCluster, trial: StartTrial, new_disk: NewDisk
) -> None:
    logs, spool = new_disk(), new_disk()
    with new_cluster(logs=logs.folder / "logs") as cluster:
        cluster.add("master1", "api,scheduler")
        cluster.add("worker1", "worker", home=spool.folder)
        cluster.await_ready()
        cluster.prepare()
        for disk, what in ((logs, "logs"), (spool, "spool, its bundles and its own log")):
            with trial(f"disk full under a worker's {what}", cluster=cluster) as it:
                it.trigger(4)
                it.await_progress(3)
                disk.fill()
                it.note(f"full disk: {what}")
                it.trigger(4)
                it.await_answers()
                it.await_progress(10)
                disk.clear()


def test_a_disk_that_fills_up_under_sqlite_refuses_and_goes_on(new_disk: NewDisk, tmp_path: Path) -> None:
    disk = new_disk()
    journal, dags = tmp_path / "journal", tmp_path / "dags"
    shutil.copytree(DAGS, dags, ignore=shutil.ignore_patterns("__pycache__"))
    environ = {**FAST, "FLOWD__DAGS__FOLDER": str(dags), "JOURNAL": str(journal), "PYTHONPATH": str(ROOT)}
    environ["FLOWD__LOGS__URL"] = f"file://{tmp_path}/logs"
    url = f"sqlite:///{disk.folder}/flowd.db"
    environ["FLOWD__DATABASE__URL"] = url
    node = NodeProcess(
        home=tmp_path / "node", roles="api,scheduler,worker", environ=environ, module="tests.faults.node"
    )
    node.start()
    try:
        node.post("/api/v2/pools", {"name": "narrow", "slots": 3})
        before = [node.trigger("journal_chain") for _ in range(3)]

        disk.fill()
        body = {"logical_date": None, "conf": {"padding": "x" * 100_000}}
        refused = [node.request("POST", "/api/v2/dags/journal_chain/dagRuns", json=body) for _ in range(3)]
        alive = node.request("GET", "/livez")
        disk.clear()
        after = [node.trigger("journal_chain") for _ in range(3)]

        assert {answer.status_code for answer in refused} == {503}
        assert all("Retry-After" in answer.headers for answer in refused)
        assert alive.status_code == 200
        eventually(
            lambda: {node.run_state("journal_chain", run) for run in before + after} == {RunState.SUCCESS},
            "every run to succeed",
        )
    finally:
        node.destroy()
    evidence = asyncio.run(evidence_of(url, journal=journal, logs=tmp_path / "logs"))
    assert check(evidence) == []
    assert len(evidence.runs) == 6
