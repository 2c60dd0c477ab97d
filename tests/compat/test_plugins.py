"""plugins/ beside the DAG files: operators, sensors and hooks to import, and macros for templates."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowd.sdk import macros
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import DagWarning
from tests.operators.running import execute

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
