"""The pods of the manifests, run here: as their user, on a root that is read-only, with no more than their volumes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from bench.cluster.free_port import free_port
from tests.support.kubernetes_objects import MANIFESTS, ROOT, environment, kustomized, pods
from tests.support.node_process import ADMIN_PASSWORD, SECRETS, NodeProcess, eventually
from tests.support.pod_process import IMAGE, CannotMakePods, PodProcess, refuse_without_namespaces, started

DAG = """
import os
import tempfile
from datetime import datetime
from pathlib import Path

from flowd import DAG, task

with DAG("inside", schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False):

    @task
    def look():
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("a task may write to its temporary folder")
        refused = []
        for place in ("/etc/here", "/opt/here", "/var/here", "/run/here"):
            try:
                Path(place).touch()
            except OSError as error:
                refused.append([place, error.strerror])
        print("looked around")
        return {"user": os.getuid(), "host": os.uname().nodename, "refused": refused}

    look()
"""
LOG = "/api/v2/dags/inside/dagRuns/{run}/taskInstances/look/logs/1"


@pytest.fixture(autouse=True)
def namespaces() -> None:
    try:
        refuse_without_namespaces()
    except CannotMakePods as refusal:
        pytest.skip(str(refusal))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def found(tmp_path: Path, postgres_url: str, port: int) -> Iterator[dict[str, PodProcess]]:
    """The pods of the base, one of each, with a Secret that leads to a database of their own."""
    objects = kustomized(MANIFESTS / "base")
    secret = {
        "database-url": postgres_url,
        "secret-key": SECRETS["FLOWD__SECURITY__SECRET_KEY"],
        "fernet-key": SECRETS["FLOWD__SECURITY__FERNET_KEY"],
        "admin-password": ADMIN_PASSWORD,
    }
    found = {
        name: PodProcess(
            name=f"{name}-0",
            pod=pod,
            # All pods have this machine's network here, and its port 8080 may be taken.
            environ={**environment(pod, objects, secret), "FLOWD__API__PORT": str(port)},
            folder=tmp_path / name,
            claims=tmp_path / "claims",
        )
        for name, pod in pods(objects).items()
    }
    yield found
    for pod in found.values():
        pod.destroy()


def push(folder: Path, client: NodeProcess) -> None:
    """Push the DAG from a machine that knows of the cluster only where its API is."""
    client.get("/api/v2/version")
    folder.mkdir()
    (folder / "inside.py").write_text(DAG)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWD_")}
    elsewhere = {
        "FLOWD_HOME": str(folder.parent / "laptop"),
        "FLOWD_API_URL": client.url,
        "FLOWD_API_TOKEN": str(client.token),
    }
    command = [sys.executable, "-m", "flowd.cli", "bundles", "push", str(folder), "--yes"]
    done = subprocess.run(command, env={**kept, **elsewhere}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def is_ready(client: NodeProcess) -> bool:
    try:
        return httpx.get(f"{client.url}/readyz", timeout=60).is_success
    except httpx.TransportError:
        return False


def test_a_cluster_from_the_manifests_runs_a_pushed_dag(
    found: dict[str, PodProcess], tmp_path: Path, port: int
) -> None:
    job = found.pop("flowd-migrate")
    assert job.run() == 0, job.log
    api = NodeProcess(home=tmp_path / "client", roles="api", environ={}, port=port)

    with started(list(found.values())):
        for pod in (found["flowd-scheduler"], found["flowd-worker"]):
            eventually(partial(pod.asks, "startupProbe"), f"{pod.name} to be ready")
            assert pod.asks("readinessProbe") and pod.asks("livenessProbe")
        eventually(lambda: is_ready(api), f"the API to be ready; it said {found['flowd-api'].log}")
        push(tmp_path / "team", api)
        run = api.trigger("inside")
        eventually(lambda: api.run_state("inside", run) in ("success", "failed"), "the run to end")

        entry = f"/api/v2/dags/inside/dagRuns/{run}/taskInstances/look/xcomEntries/return_value"
        assert api.get(entry)["value"] == {
            "user": 10001,
            "host": "flowd-worker-0",
            "refused": [
                [place, "Read-only file system"] for place in ("/etc/here", "/opt/here", "/var/here", "/run/here")
            ],
        }
        # Written by the worker, and read by the API node, on the volume that both have.
        eventually(lambda: "looked around" in api.request("GET", LOG.format(run=run)).text, "the log of the task")
        assert {name: pod.stop() for name, pod in found.items()} == dict.fromkeys(found, 0)


def test_the_pods_environment_is_that_of_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert [f"{name}={value}" for name, value in IMAGE.items() if f"{name}={value}" not in text] == []
