"""A real Prometheus, with the files of config/, scrapes a node and answers queries with its figures."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.cluster.free_port import free_port
from tests.acceptance.conftest import ROOT, MakeNode
from tests.support.node_process import NodeProcess, eventually

CONFIG = ROOT / "config"


@pytest.fixture
def node(make_node: MakeNode) -> NodeProcess:
    return make_node("alone", FLOWD__METRICS__BY_DAG="true")


@pytest.fixture
def prometheus(tmp_path: Path, node: NodeProcess) -> Iterator[str]:
    """The address of a Prometheus that has config/prometheus.yml, but scrapes this node, and often."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("there is no prometheus; `make services` as root on Debian installs it", pytrace=False)
    settings = yaml.safe_load((CONFIG / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
    settings["rule_files"] = [str(CONFIG / name) for name in settings["rule_files"]]
    (scrape,) = settings["scrape_configs"]
    scrape["static_configs"] = [{"targets": [f"127.0.0.1:{node.port}"]}]
    scrape["scrape_timeout"] = scrape["scrape_interval"] = "1s"
    file, port = tmp_path / "prometheus.yml", free_port()
    file.write_text(yaml.safe_dump(settings))
    command = [program, f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    with (
        open(tmp_path / "prometheus.log", "wb") as log,
        subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def ask(prometheus: str, query: str) -> dict[tuple[str, ...], float]:
    """Return the answer to a query: values by labels, in the order of their names; nothing while it starts."""
    try:
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return {}
    if answer.status_code == 503:
        return {}
    document: dict[str, Any] = answer.json()
    assert document["status"] == "success", document
    return {
        tuple(value for name, value in sorted(one["metric"].items()) if name not in ("__name__", "instance", "job")): (
            float(one["value"][1])
        )
        for one in document["data"]["result"]
    }


def test_prometheus_scrapes_a_node_and_answers_with_its_figures(
    node: NodeProcess, prometheus: str, journal: Path
) -> None:
    node.trigger("waiting")

    eventually(lambda: ask(prometheus, "up") == {(): 1}, "the first scrape")
    eventually(
        lambda: ask(prometheus, "flowd_task_instances") == {("waiting", "running"): 1}, "the task in Prometheus' answer"
    )
    assert ask(prometheus, 'max(flowd_workers{state="active"})') == {(): 1}
    assert ask(prometheus, "flowd_pool_slots_by_state") == {("default_pool", "running"): 1}
    assert ask(prometheus, 'flowd_worker_slots{state="used"}').keys() == {("used",)}

    Path(f"{journal}.go").touch()
    eventually(
        lambda: ask(prometheus, 'flowd_recent_dag_runs{state="success"}') == {("waiting", "success"): 1},
        "the run's end in Prometheus' answer",
    )
    assert ask(prometheus, "flowd_recent_dag_run_seconds")[("waiting", "success")] > 0
    rings = ask(prometheus, "ALERTS")
    assert rings == {}, rings


def test_an_alert_rings_once_a_run_has_failed(node: NodeProcess, prometheus: str) -> None:
    node.trigger("repairable")

    eventually(
        lambda: ("FlowdRunsFailing", "firing", "warning") in ask(prometheus, "ALERTS"), "the alert of a failed run"
    )


def test_every_query_of_the_dashboard_is_one_that_prometheus_answers(node: NodeProcess, prometheus: str) -> None:
    board = json.loads((CONFIG / "grafana" / "flowd.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    eventually(lambda: ask(prometheus, "flowd_workers"), "the first scrape")

    silent = {}
    for query in queries:
        filled = query.replace("$__rate_interval", "10s").replace("$job", "flowd")
        # What counts ended runs or needs two scrapes has no figures yet; that it can be asked is what counts.
        silent[query] = not ask(prometheus, filled)

    assert sum(silent.values()) < len(queries) / 2, silent
