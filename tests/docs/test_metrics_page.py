"""The page of metrics, the dashboard and the alerts name what a node exposes, and nothing else."""

import json
import re
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from flowd.api.metrics import ApiMetrics
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "metrics.md"
DASHBOARD = ROOT / "config" / "grafana" / "flowd.json"
ALERTS = ROOT / "config" / "alerts.yml"
ROW = re.compile(r"^\| `(\w+)` \| (gauge|counter|histogram) \|([^|]*)\|", re.MULTILINE)
NAME = re.compile(r"\b(?:flowd|process)_\w+")
SUFFIXES = ("_bucket", "_sum", "_count")


class NotingRegistry(CollectorRegistry):
    """A registry that keeps what was registered, to be asked for labels before there is a sample."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, str] = {}

    def register(self, collector: Any) -> None:
        """Keep its labels as well."""
        super().register(collector)
        for family in collector.describe() if hasattr(collector, "describe") else ():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            self.labels[name] = ", ".join(f"`{one}`" for one in collector._labelnames)


def exposed(*, by_dag: bool = False) -> dict[str, tuple[str, str]]:
    """Every metric of a node with its type and its labels, as the page spells them."""
    registry = NotingRegistry()
    ApiMetrics(registry, by_dag=by_dag)
    return {
        name: (family.type, registry.labels.get(name, ""))
        for family in registry.collect()
        for name in [f"{family.name}_total" if family.type == "counter" else family.name]
    }


def unknown(text: str) -> set[str]:
    """The names of metrics in a text that no node exposes."""
    known = exposed()
    found = set(NAME.findall(text))
    return {name for name in found if name not in known and not _is_of_a_histogram(name, known)}


def _is_of_a_histogram(name: str, known: dict[str, tuple[str, str]]) -> bool:
    return any(
        name.endswith(suffix) and known.get(name.removesuffix(suffix), ("",))[0] == "histogram" for suffix in SUFFIXES
    )


def queries() -> list[str]:
    """Every PromQL expression of the dashboard."""
    board = json.loads(DASHBOARD.read_text())
    variables = [one["definition"] for one in board["templating"]["list"] if "definition" in one]
    return [*variables, *(target["expr"] for panel in board["panels"] for target in panel["targets"])]


def test_the_page_has_every_metric_with_its_type_and_labels() -> None:
    rows = {name: (kind, labels.strip()) for name, kind, labels in ROW.findall(PAGE.read_text())}
    own = {name: said for name, said in exposed().items() if name.startswith("flowd_")}

    assert {name: said for name, said in rows.items() if name.startswith("flowd_")} == own


def test_the_page_names_no_metric_that_no_node_exposes() -> None:
    assert unknown(PAGE.read_text()) == set()


def test_the_page_says_which_metrics_can_tell_dags_apart() -> None:
    plain, told_apart = exposed(), exposed(by_dag=True)
    changed = {name for name in plain if plain[name] != told_apart[name]}

    (sentence,) = re.findall(
        r"With `FLOWD__METRICS__BY_DAG=true`, (.*?) have a second label", PAGE.read_text(), re.DOTALL
    )

    assert set(NAME.findall(sentence)) == changed
    assert all(told_apart[name] == ("gauge", "`state`, `dag_id`") for name in changed)


def test_every_query_of_the_dashboard_names_a_metric_that_a_node_exposes() -> None:
    assert len(queries()) > 15
    for query in queries():
        assert NAME.search(query), query
        assert unknown(query) == set(), query


def test_every_alert_names_metrics_that_a_node_exposes_and_says_what_to_do() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]

    assert len(rules) == 10
    for rule in rules:
        assert unknown(rule["expr"]) == set(), rule
        assert rule["annotations"].keys() == {"summary", "action"}, rule


@pytest.mark.parametrize("text", ["flowd_task_instance", "flowd_http_requests", "flowd_task_instances_sum"])
def test_a_name_that_is_nearly_right_is_found(text: str) -> None:
    assert unknown(f"rate({text}[5m])") == {text}
