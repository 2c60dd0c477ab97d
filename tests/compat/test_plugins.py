"""plugins/ beside the DAG files: operators, sensors and hooks to import, and macros for templates."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowd.child.run_task import attempt
from flowd.domain.ids import TaskId
from flowd.sdk import listeners, macros
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import DagWarning
from flowd.sdk.supervisor import supervised_by
from tests.operators.running import execute
from tests.support.specs import an_assignment
from tests.support.task_server import TaskServer

PLUGIN = """
from airflow.hooks.base import BaseHook
from airflow.models import BaseOperator
from airflow.plugins_manager import AirflowPlugin
from airflow.utils.decorators import apply_defaults

def shout(text):
    return text.upper()

class AcmeHook(BaseHook):
    def get_conn(self):
        return "conn"

class AcmeOperator(BaseOperator):
    template_fields = ["word"]

    @apply_defaults
    def __init__(self, word, times=1, *args, **kwargs):
        super(AcmeOperator, self).__init__(*args, **kwargs)
        self.word, self.times = word, times

    def execute(self, context):
        return self.word * self.times, AcmeHook().get_conn()

class AcmePlugin(AirflowPlugin):
    name = "acme_words"
    macros = [shout]
    operators = [AcmeOperator]
"""
DAG_FILE = """
from airflow import DAG
from acme_plugin_under_test import AcmeOperator

with DAG("d", schedule_interval=None, default_args={"times": 2}):
    AcmeOperator(task_id="own", word="{{ macros.acme_words.shout(run_id) }}")
"""


@pytest.fixture(autouse=True)
def no_plugin_is_left() -> Iterator[None]:
    finders, path = [*sys.meta_path], [*sys.path]
    yield
    sys.meta_path[:], sys.path[:] = finders, path
    sys.modules.pop("acme_plugin_under_test", None)
    if hasattr(macros, "acme_words"):
        del macros.acme_words


@pytest.mark.filterwarnings("ignore::flowd.sdk.exceptions.DagWarning")
def test_an_own_operator_hook_and_macro_of_the_plugins_folder_are_used(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "acme_plugin_under_test.py").write_text(PLUGIN)
    (tmp_path / "dag.py").write_text(DAG_FILE)

    (dag,) = load(str(tmp_path), "dag.py")

    assert execute(dag.get_task("own")) == ("MANUAL__1MANUAL__1", "conn")


def test_a_plugin_that_cannot_be_imported_is_left_out_and_the_dag_loads(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "acme_broken_plugin.py").write_text("from absent import AirflowPlugin\n")
    (tmp_path / "plain.py").write_text("from airflow import DAG\ndag = DAG('d', schedule=None)\n")

    with pytest.warns(DagWarning, match=r"plugins/acme_broken_plugin.py is left out: No module named 'absent'"):
        (dag,) = load(str(tmp_path), "plain.py")

    assert dag.dag_id == "d"


LISTENER = """
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

heard = []

class Told:
    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        heard.append(("running", str(previous_state), task_instance.task_id, task_instance.state))

    @hookimpl(trylast=True)
    def on_task_instance_failed(self, previous_state, task_instance, error):
        heard.append(("failed", str(previous_state), task_instance.state, str(error)))

    @hookimpl
    def on_task_instance_success(self, **given):
        raise RuntimeError("this one is broken")

    @hookimpl
    def on_task_instance_skipped(self, task_instance):
        heard.append(("skipped", task_instance.get_template_context()["task"].task_id))

    def on_dag_run_failed(self, dag_run, msg):
        heard.append("never")

class AcmeListening(AirflowPlugin):
    name = "acme_listening"
    listeners = [Told()]
"""
LISTENED = """
from airflow import DAG
from airflow.exceptions import AirflowSkipException
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator
from acme_listener_under_test import heard

def fail():
    raise ValueError("as asked")

def skip():
    raise AirflowSkipException("as asked")

with DAG("d", schedule=None):
    PythonOperator(task_id="fails", python_callable=fail)
    PythonOperator(task_id="skips", python_callable=skip)
    BashOperator(task_id="succeeds", bash_command="true")
"""


class Results:
    """Takes a result, as a keeper does."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []

    def send_result(self, document: dict[str, Any]) -> None:
        self.documents.append(document)


@pytest.fixture
def nobody_listens_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(listeners, "_listeners", [])
    yield
    sys.modules.pop("acme_listener_under_test", None)


@pytest.mark.usefixtures("nobody_listens_afterwards")
def test_a_listener_of_a_plugin_hears_of_tasks_and_is_told_what_it_never_hears(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "acme_listener_under_test.py").write_text(LISTENER)
    (tmp_path / "dag.py").write_text(LISTENED)

    with pytest.warns(DagWarning, match="'acme_listening': a listener's on_dag_run_failed is never called"):
        (dag,) = load(str(tmp_path), "dag.py")
    plain = dag.get_task("succeeds").plain_work()
    results = Results()
    for task_id in ("fails", "skips", "succeeds"):
        task = dag.get_task(task_id)
        with supervised_by(TaskServer()):
            attempt(results, an_assignment(task_id=TaskId(task_id)), task, time.monotonic())

    assert plain is None, "a script that no Python sees would be heard of by nobody"
    assert [one["outcome"] for one in results.documents] == ["failed", "skipped", "success"]
    assert sys.modules["acme_listener_under_test"].heard == [
        ("running", "queued", "fails", "running"),
        ("failed", "running", "failed", "as asked"),
        ("running", "queued", "skips", "running"),
        ("skipped", "skips"),
        ("running", "queued", "succeeds", "running"),
    ]
    assert "on_task_instance_success of listener" in caplog.text
