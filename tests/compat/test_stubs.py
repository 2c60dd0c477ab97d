"""Providers that are not installed: the DAG loads, and only their tasks fail; installed ones are imported for real."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowd.compat.provider_package import package_of
from flowd.sdk.dag import DAG
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import MissingProvider, StubWarning
from flowd.sdk.serialize import serialize
from tests.operators.running import execute

HEAD = """
from airflow import DAG
from airflow.decorators import task
"""

REAL = {
    "airflow/providers/acme/cloud/__init__.py": "",
    "airflow/providers/acme/cloud/hooks.py": """
from airflow.hooks.base import BaseHook

try:
    from airflow.providers.absent.hooks import Absent
except ImportError:
    Absent = None
class AcmeHook(BaseHook):
    def get_conn(self):
        return Absent
""",
    "airflow/providers/acme/cloud/operators.py": """
from airflow.models import BaseOperator
from airflow.providers.acme.cloud.hooks import AcmeHook

class AcmeOperator(BaseOperator):
    template_fields = ("query",)
    def __init__(self, *, query, **kwargs):
        super().__init__(**kwargs)
        self.query = query
    def execute(self, context):
        return self.query, AcmeHook().get_conn()
""",
}


@pytest.fixture(autouse=True)
def airflow_as_it_was() -> Iterator[None]:
    finders, path = [*sys.meta_path], [*sys.path]
    yield
    sys.meta_path[:], sys.path[:] = finders, path
    for name in [name for name in sys.modules if name.startswith(("airflow.providers.", "airflow.contrib"))]:
        del sys.modules[name]


def load_text(folder: Path, text: str) -> DAG:
    (folder / "stubbed.py").write_text(HEAD + text)
    (dag,) = load(str(folder), "stubbed.py")
    return dag


def test_a_task_of_an_absent_provider_stands_in_its_dag_and_fails_with_what_to_install(tmp_path: Path) -> None:
    text = """
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator
with DAG("d", schedule_interval=None):
    @task
    def query():
        return "select 1"
    BigQueryInsertJobOperator(task_id="job", configuration={"query": query()}, deferrable=True, retries=2)
"""
    with pytest.warns(StubWarning, match="'job' will fail: .*install apache-airflow-providers-google beside"):
        dag = load_text(tmp_path, text)

    (job, _) = serialize(dag, "stubbed.py").tasks

    assert (job.upstream, job.operator, job.retry.retries) == (("query",), "BigQueryInsertJobOperator", 2)
    with pytest.raises(MissingProvider, match=r"'job' cannot run: airflow\.providers\.google\.cloud"):
        execute(dag.get_task("job"))


def test_hooks_constants_and_functions_are_stubs_until_a_task_uses_them(tmp_path: Path) -> None:
    text = """
from airflow.contrib.hooks.gcs_hook import GoogleCloudStorageHook
from airflow.providers.google.cloud.links.base import LINKS, Kind, link_to
from airflow.providers.google.cloud.operators.dataflow import DataflowConfiguration
assert [*LINKS, *Kind, *DataflowConfiguration(project_id="p").regions] == []
hook = GoogleCloudStorageHook("conn", delegate_to=None)
described = str([LINKS["a"], Kind.ONE, link_to(hook.bucket)])
class Own(GoogleCloudStorageHook):
    own = 1
with DAG("d", schedule_interval=None):
    @task
    def upload():
        assert Own.own == 1
        Own().upload("x")
    upload()
"""
    dag = load_text(tmp_path, text)

    described = sys.modules[next(name for name in sys.modules if name.endswith("_stubbed"))].described
    assert described == (
        "[airflow.providers.google.cloud.links.base.LINKS['a'], airflow.providers.google.cloud.links.base.Kind.ONE, "
        "airflow.providers.google.cloud.links.base.link_to()]"
    )
    with pytest.raises(MissingProvider, match="Own is not installed"):
        execute(dag.get_task("upload"))


def test_a_subclass_that_executes_by_itself_runs(tmp_path: Path) -> None:
    text = """
from airflow.contrib.operators.bigquery_operator import BigQueryOperator
class Own(BigQueryOperator):
    template_fields = (*BigQueryOperator.template_fields, "word")
    def __init__(self, word, **kwargs):
        super().__init__(**kwargs)
        self.word = word
    def execute(self, context):
        return self.word, self.sql
with DAG("d", schedule_interval=None):
    Own(task_id="own", word="{{ run_id }}", sql="select 1")
"""
    assert execute(load_text(tmp_path, text).get_task("own")) == ("manual__1", "select 1")


def test_a_file_that_is_ready_for_an_absent_provider_is_told_that_it_is_absent(tmp_path: Path) -> None:
    text = """
try:
    from airflow.providers.slack.hooks.slack import SlackHook
except ImportError:
    SlackHook = None
with DAG("without_slack" if SlackHook is None else "with_slack", schedule_interval=None):
    pass
"""
    assert load_text(tmp_path, text).dag_id == "without_slack"


def test_an_installed_provider_is_imported_for_real_and_knows_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    for name, source in REAL.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(source)
    monkeypatch.syspath_prepend(site)
    text = """
from airflow.providers.acme.cloud.operators import AcmeOperator
with DAG("d", schedule_interval=None):
    AcmeOperator(task_id="acme", query="{{ run_id }}")
"""
    dag = load_text(tmp_path, text)

    assert execute(dag.get_task("acme")) == ("manual__1", None)


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("airflow.providers.cncf.kubernetes.operators.pod", "apache-airflow-providers-cncf-kubernetes"),
        ("airflow.providers.http.hooks.http", "apache-airflow-providers-http"),
        ("airflow.providers.microsoft.mssql.hooks.mssql", "apache-airflow-providers-microsoft-mssql"),
        ("airflow.contrib.operators.gcs_to_bq_bigquery", "apache-airflow-providers-google"),
        ("airflow.operators.docker_operator", "apache-airflow-providers-docker"),
        ("airflow.contrib.operators.vertica_operator", None),
    ],
)
def test_the_package_of_a_module_is_told_by_its_path(module: str, package: str | None) -> None:
    assert package_of(module) == package
