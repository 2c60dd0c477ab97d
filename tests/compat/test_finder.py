"""airflow imports: every path of the table gives flowd's object, every other an error that helps."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import flowd
from flowd.compat import install
from flowd.compat.finder import KNOWN, AirflowFinder
from flowd.compat.table import MODULES
from flowd.domain.trigger_rules import TriggerRule
from flowd.sdk.exceptions import DagWarning

NAMES = [(module, name) for module, names in MODULES.items() for name in names]


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = [*sys.meta_path]
    install()
    yield
    sys.meta_path[:] = before


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[".".join(pair) for pair in NAMES])
def test_every_path_of_the_table_leads_somewhere(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) is not None


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("from airflow import DAG as x", flowd.DAG),
        ("from airflow.models import DAG as x", flowd.DAG),
        ("from airflow.models.dag import dag as x", flowd.dag),
        ("from airflow.sdk import DAG as x", flowd.DAG),
        ("import airflow; x = airflow.models.dag.DAG", flowd.DAG),
        ("from airflow import models; x = models.BaseOperator", flowd.BaseOperator),
        ("from airflow.sdk import task as x", flowd.task),
        ("from airflow.decorators import task_group as x", flowd.task_group),
        ("from airflow.operators.bash_operator import BashOperator as x", flowd.BashOperator),
        ("from airflow.providers.standard.operators.bash import BashOperator as x", flowd.BashOperator),
        ("from airflow.operators.dummy import DummyOperator as x", flowd.EmptyOperator),
        ("from airflow.operators.python import get_current_context as x", flowd.get_current_context),
        ("from airflow.operators.python_operator import *; x = PythonOperator", flowd.PythonOperator),
        ("from airflow.models import Variable as x", flowd.Variable),
        ("from airflow.hooks.base import BaseHook as x", flowd.BaseHook),
        ("from airflow.utils.helpers import chain as x", flowd.chain),
        ("from airflow.utils.edgemodifier import Label as x", flowd.Label),
        ("from airflow.models.param import Param as x", flowd.Param),
        ("from airflow.utils.trigger_rule import TriggerRule as x", TriggerRule),
    ],
)
def test_old_and_new_paths_give_the_same_object(statement: str, wanted: Any) -> None:
    names: dict[str, Any] = {}

    exec(statement, names)

    assert names["x"] is wanted


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "from airflow.operators.bash import BashOperater",
            "no 'BashOperater' in airflow.operators.bash; did you mean",
        ),
        ("from airflow import PythonOperator", "it is airflow.operators.python.PythonOperator"),
        ("import airflow.operaters.bash", "flowd has no 'operaters' in airflow; did you mean 'operators'"),
    ],
)
def test_an_unknown_name_is_an_import_error_that_says_which(statement: str, message: str) -> None:
    with pytest.raises(ImportError, match=message):
        exec(statement, {})


def test_an_unknown_name_can_be_looked_for() -> None:
    assert not hasattr(importlib.import_module("airflow.models"), "Dagger")


def test_installing_twice_changes_nothing_and_others_are_left_alone() -> None:
    install()

    assert sum(isinstance(finder, AirflowFinder) for finder in sys.meta_path) == 1
    assert AirflowFinder().find_spec("airflowx", None) is None
    assert AirflowFinder().find_spec("json", None) is None


def test_a_process_that_did_not_install_it_has_no_airflow() -> None:
    code = "import flowd.compat.finder, importlib.util as u, sys; sys.exit(u.find_spec('airflow') is not None)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_package_around_a_module_is_known() -> None:
    assert {"airflow", "airflow.utils", "airflow.providers", "airflow.providers.standard.operators"} <= KNOWN


def test_days_ago_warns_that_it_moves() -> None:
    from airflow.utils.dates import days_ago  # type: ignore[import-not-found]  # noqa: PLC0415

    with pytest.warns(DagWarning, match=r"days_ago\(2\) is another date each day"):
        date = days_ago(2)
    assert (date.hour, date.minute, date.utcoffset().total_seconds()) == (0, 0, 0)


def test_airflows_timezone_functions_answer() -> None:
    timezone = importlib.import_module("airflow.utils.timezone")

    assert timezone.datetime(2026, 1, 1).isoformat() == "2026-01-01T00:00:00+00:00"
    assert timezone.parse("2026-01-01T02:00:00+02:00") == timezone.datetime(2026, 1, 1)
    assert timezone.convert_to_utc(timezone.parse("2026-01-01T02:00:00+02:00")).hour == 0
    assert timezone.coerce_datetime(None) is None
    assert timezone.utcnow().utcoffset().total_seconds() == 0


def test_airflows_timetables_are_ours() -> None:
    trigger = importlib.import_module("airflow.timetables.trigger")
    interval = importlib.import_module("airflow.timetables.interval")

    daily = trigger.CronTriggerTimetable("@daily", timezone="Asia/Tokyo")
    hourly = interval.CronDataIntervalTimetable("0 * * * *", timezone="UTC")

    assert flowd.DAG("d", schedule=daily).timetable == daily.spec
    assert (daily.spec.expression, daily.spec.timezone) == ("0 0 * * *", "Asia/Tokyo")
    assert flowd.DAG("d", timetable=hourly).timetable == hourly.spec
