"""Providers that are installed with their metadata: hooks by connection type, @task variants, session and policies."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowd import BaseHook
from flowd.compat import install
from flowd.sdk import provider_packages
from flowd.sdk.dag import DAG
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import AirflowException
from tests.operators.running import execute

FILES = {
    "acme_provider-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-provider\nVersion: 1.0\n",
    "acme_provider-1.0.dist-info/entry_points.txt": (
        "[apache_airflow_provider]\nprovider_info=airflow.providers.acme.get_provider_info:get_provider_info\n"
        "broken=airflow.providers.acme.absent:tell\nodd=airflow.providers.acme.get_provider_info:tell_nothing\n"
    ),
    "airflow/providers/acme/__init__.py": "",
    "airflow/providers/acme/get_provider_info.py": """
def get_provider_info():
    return {
        "connection-types": [
            {"hook-class-name": "airflow.providers.acme.hooks.AcmeHook", "connection-type": "acme"},
            {"connection-type": "without a hook"},
        ],
        "task-decorators": [{"name": "acme", "class-name": "airflow.providers.acme.tasks.acme_task"}],
    }
def tell_nothing():
    return None
""",
    "airflow/providers/acme/hooks.py": """
import warnings
from airflow.exceptions import AirflowProviderDeprecationWarning
from airflow.providers.common.compat.sdk import BaseHook, conf
from airflow.utils.types import NOTSET, ArgNotSet

class AcmeHook(BaseHook):
    conn_name_attr = "acme_conn_id"
    def __init__(self, acme_conn_id="acme_default", schema: str | ArgNotSet = NOTSET, **kwargs):
        super().__init__(**kwargs)
        self.acme_conn_id, self.schema = acme_conn_id, schema
    def get_conn(self):
        host = self.get_connection(self.acme_conn_id).host
        return f"{host}/{self.schema}/{conf.get('acme', 'mode', fallback='plain')}"
""",
    "airflow/providers/acme/tasks.py": """
from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory
from airflow.models import BaseOperator

class AcmeOperator(BaseOperator):
    def __init__(self, *, words="", **kwargs):
        super().__init__(**kwargs)
        self.words = words
    def execute(self, context):
        return self.words.upper()

class AcmeTask(DecoratedOperator, AcmeOperator):
    custom_operator_name = "@task.acme"
    def execute(self, context):
        self.words = self.python_callable(*self.op_args, **self.op_kwargs)
        return super().execute(context)

def acme_task(python_callable=None, **kwargs):
    return task_decorator_factory(python_callable, decorated_operator_class=AcmeTask, **kwargs)
""",
}


@pytest.fixture(autouse=True)
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    finders = [*sys.meta_path]
    site = tmp_path / "site-packages"
    for name, text in FILES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", "acme://host")
    _forget()
    install()
    yield
    sys.meta_path[:] = finders
    _forget()


def _forget() -> None:
    provider_packages.hook_classes.cache_clear()
    provider_packages.task_decorators.cache_clear()
    for name in [name for name in sys.modules if name.startswith("airflow.providers.")]:
        del sys.modules[name]


def load_text(folder: Path, text: str) -> DAG:
    (folder / "provided.py").write_text(f"from airflow.sdk import DAG, BaseHook, task\n{text}")
    (dag,) = load(str(folder), "provided.py")
    return dag


def test_a_connections_hook_is_that_of_the_provider_of_its_type(tmp_path: Path) -> None:
    text = """
with DAG("d", schedule=None):
    @task
    def ask():
        return BaseHook.get_hook("acme_default", hook_params={"schema": "s"}).get_conn()
    ask()
"""
    assert execute(load_text(tmp_path, text).get_task("ask")) == "host/s/plain"


def test_a_connection_of_an_unknown_type_says_that_its_provider_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "other://host")

    with pytest.raises(AirflowException, match="type 'other', for which no installed provider has a hook"):
        BaseHook.get_hook("other")


def test_a_providers_variant_of_task_is_there_under_its_name(tmp_path: Path) -> None:
    text = """
with DAG("d", schedule=None):
    @task.acme(owner="me")
    def shout(word):
        return word
    shout("x")
"""
    dag = load_text(tmp_path, text)

    assert (dag.get_task("shout").owner, dag.get_task("shout").operator_name) == ("me", "@task.acme")
    assert execute(dag.get_task("shout")) == "X"


def test_the_hooks_of_all_providers_can_be_looked_through() -> None:
    manager: Any = importlib.import_module("airflow.providers_manager").ProvidersManager()
    manager.initialize_providers_hooks()

    assert manager.hooks["acme"].connection_id_attribute_name == "acme_conn_id"
    assert manager.hooks["acme"].hook_class.__name__ == "AcmeHook"
