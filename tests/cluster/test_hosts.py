"""The guide, performed: a host for each machine, and each is turned off, cut off and rolled while people work."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.client import Client
from tests.cluster.drill import Drill
from tests.cluster.network import CannotMakeHosts, Cut, Network
from tests.cluster.site import ROOT, Site
from tests.faults.harness.cluster import FAST
from tests.faults.harness.server_process import ServerMissing
from tests.support.node_process import eventually

KEEP = "FLOWD_CLUSTER_KEEP"
"""Names a folder for what the nodes have said, to be read afterwards."""

EARNEST = {"FLOWD__WORKER__LEASE": "15s", "FLOWD__WORKER__HEARTBEAT": "3s", "FLOWD__WORKER__DRAIN_TIMEOUT": "30s"}
"""Nodes as they are shipped, but for a lease of a quarter of a minute, so that a cut can outlast it."""


@contextmanager
def drill_of(patience: Mapping[str, str], *, hold_seconds: float, runs_per_second: float) -> Iterator[Drill]:
    """A cluster as the guide sets it up, under load."""
    with tempfile.TemporaryDirectory(prefix="flowd-hosts-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's user has to reach it
        try:
            with Network(folder) as network:
                site = Site(network, folder, patience)
                site.set_up()
                token, session = site.log_in()
                site.prepare(token)
                client = Client(
                    host=site.people,
                    url=site.url,
                    token=token,
                    session=session,
                    journal=site.requests,
                    runs_per_second=runs_per_second,
                )
                with client:
                    yield Drill(site, client, hold_seconds)
        except CannotMakeHosts as refusal:
            pytest.skip(str(refusal))
        except ServerMissing as absence:
            pytest.fail(str(absence), pytrace=False)
        finally:
            if KEEP in os.environ:
                for log in folder.glob("*/*.log"):
                    shutil.copy(log, Path(os.environ[KEEP]) / f"{log.parent.name}.{log.name}")


def widen(drill: Drill, host: str, concurrency: int) -> None:
    """Let the worker of a host run more tasks at a time, while it runs."""

    def found() -> Any:
        workers = drill.site.ask("GET", "/api/v2/workers", drill.client.token).json()["workers"]
        return {one["host"]: one for one in workers}[host]

    with drill.step(f"{host} grows", f"`flowd workers set-concurrency … {concurrency}`"):
        path = f"/api/v2/workers/{found()['id']}"
        changed = drill.site.ask("PATCH", path, drill.client.token, json={"concurrency": concurrency})
        assert changed.is_success, changed.text
        eventually(lambda: found()["concurrency"] == concurrency, f"{host} to run {concurrency} tasks at a time", 30)


def roll(drill: Drill) -> None:
    """Give every node another version, one after another."""
    new = drill.site.folder / "new-version"
    shutil.copytree(ROOT / "src", new, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    code = new / "flowd" / "__init__.py"
    code.write_text(code.read_text().replace('__version__ = "', '__version__ = "9.'))
    for name, node in list(drill.site.nodes.items()):
        with drill.step(f"{name} gets a new version", "SIGTERM, and started again"):
            node.stop()
            drill.site.run(name, node.roles, new)
    version = drill.site.ask("GET", "/api/v2/version", drill.client.token).json()["version"]
    assert version.startswith("9.")


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("hosts")
def test_hosts_die_and_are_cut_off_and_nothing_is_lost_and_no_request_fails() -> None:
    with drill_of(FAST, hold_seconds=3, runs_per_second=2) as drill:
        drill.turn_off_and_on("master1")
        drill.cut("worker1", Cut.BOTH_WAYS)
        drill.end()

        assert drill.verdict() == []


@pytest.mark.cluster
@pytest.mark.timeout(3600)
@pytest.mark.xdist_group("hosts")
def test_every_step_of_the_guide_under_load(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    with drill_of(EARNEST, hold_seconds=20, runs_per_second=2) as drill:
        site = drill.site
        with drill.step("as the guide sets it up", "nothing"):
            drill.hold()
        with drill.step("worker3 joins", "a new host, `flowd run --roles worker`"):
            site.network.add("worker3")
            site.run("worker3", "worker")
        widen(drill, "worker1", 60)
        for name in ("worker1", "worker2", "worker3"):
            drill.turn_off_and_on(name)
        for name, cut in zip(("worker1", "worker2", "worker3"), Cut, strict=True):
            drill.cut(name, cut)
        for name in ("master2", "master1"):
            drill.turn_off_and_on(name)
            for cut in Cut:
                drill.cut(name, cut)
        with drill.step("the scheduler moves to master2", "master2 restarted with it, then master1 without it"):
            for name, roles in {"master2": "api,scheduler", "master1": "api"}.items():
                site.nodes[name].stop()
                site.run(name, roles).await_ready()
                site.await_proxy()
        drill.turn_off_and_on("mq")
        for cut in Cut:
            drill.cut("mq", cut)
        roll(drill)
        drill.turn_off_and_on("db", is_away=True)
        for cut in Cut:
            drill.cut("db", cut, is_away=True)
        drill.end()

        violations = drill.verdict()
    with capsys.disabled():
        request.config.get_terminal_writer().line(f"\n{drill.report()}")
    assert violations == []
