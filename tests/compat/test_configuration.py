"""`airflow.configuration.conf`: the environment, what flowd knows, the fallback, or an error that says what to set."""

import importlib

import pytest

from flowd.compat import install
from flowd.compat.configuration import conf
from flowd.compat.library_table import put_together
from flowd.sdk.exceptions import AirflowConfigException


def test_an_option_is_of_the_environment_then_of_flowd_then_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ACME__ROWS", "7")
    monkeypatch.setenv("AIRFLOW__ACME__ON", "True")
    monkeypatch.setenv("AIRFLOW__ACME__NAMES", "a, b")
    monkeypatch.setenv("AIRFLOW__ACME__DOCUMENT", '{"a": 1}')

    assert (conf.getint("acme", "rows"), conf.getfloat("ACME", "ROWS")) == (7, 7.0)
    assert (conf.getboolean("acme", "on"), conf.getboolean("core", "unit_test_mode")) == (True, False)
    assert (conf.getlist("acme", "names"), conf.getjson("acme", "document")) == (["a", "b"], {"a": 1})
    assert (conf.get("acme", "none", fallback=None), conf.getboolean("acme", "none", fallback=True)) == (None, True)
    assert (conf.has_option("acme", "rows"), conf.has_option("acme", "none")) == (True, False)


def test_an_option_that_nobody_set_is_an_error_that_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ACME__ON", "perhaps")

    with pytest.raises(AirflowConfigException, match=r"no option 'sql_alchemy_conn'.*set AIRFLOW__DATABASE__SQL_ALC"):
        conf.get("database", "sql_alchemy_conn")
    with pytest.raises(AirflowConfigException, match=r"'on' of \[acme\] is 'perhaps', wanted true or false"):
        conf.getboolean("acme", "on")


def test_modules_that_are_put_together_have_the_names_of_their_parts() -> None:
    install()
    operators = importlib.import_module("airflow.operators")
    compat = importlib.import_module("airflow.providers.common.compat.sdk")
    sdk = importlib.import_module("airflow.sdk")

    assert operators.BashOperator is importlib.import_module("airflow.operators.bash").BashOperator
    assert (compat.DAG, compat.TriggerRule, compat.timezone.utcnow) == (sdk.DAG, sdk.TriggerRule, sdk.timezone.utcnow)
    assert compat.AirflowSkipException is importlib.import_module("airflow.exceptions").AirflowSkipException
    assert put_together({"airflow.operators.a": {"A": "a:A"}, "airflow.other": {"B": "b:B"}})["airflow.operators"] == {
        "A": "a:A"
    }
