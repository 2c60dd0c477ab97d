"""Every keyword and every older spelling runs for real, or is refused with what to write instead.

Each case is a DAG file as its author wrote it. It is loaded as a worker loads it, run from its start to its end, and
asked what came of it.
"""

import itertools
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowd.domain.errors import FlowdError
from flowd.local_run import run_dag
from flowd.sdk import templates
from flowd.sdk.dag import DAG
from flowd.sdk.dag_file import load
from flowd.sdk.exceptions import AirflowException, DagWarning

HEADER = """
from datetime import datetime, timedelta
from airflow import DAG
from airflow.decorators import task
from airflow.operators.bash_operator import BashOperator
from airflow.operators.dummy_operator import DummyOperator
from airflow.operators.python_operator import PythonOperator

seen = []
def note(*args, **kwargs):
    seen.append(1)
"""
DATE = datetime(2026, 3, 31, 6, tzinfo=UTC)
_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a file: its DAG, how its tasks ended, what they returned, and what was said of it."""

    dag: DAG
    states: dict[str, str]
    values: dict[str, Any]
    said: list[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own."""
    monkeypatch.setenv("FLOWD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def run(folder: Path, text: str) -> Outcome:
    """Load the file and run the one DAG that it defines, about DATE."""
    file = f"file_{next(_names)}.py"
    (folder / file).write_text(HEADER + text)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        (dag,) = load(str(folder), file)
        ended = run_dag(dag, logical_date=DATE, conf={})
    return Outcome(
        dag=dag,
        states={one.task_id: one.state.value for one in ended.tasks},
        values={one.task_id: one.xcom_pull() for one in ended.tasks},
        said=[str(one.message) for one in heard if issubclass(one.category, DagWarning)],
    )


def dag(keywords: str, body: str = 'BashOperator(task_id="t", bash_command="echo {{ ds }}")') -> str:
    """A file with one DAG."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f'with DAG("d", {keywords}) as dag:\n{lines}\n'


def bash(keywords: str) -> str:
    """A file with one bash task that has these keywords."""
    return dag("start_date=datetime(2026, 1, 1)", f'BashOperator(task_id="t", bash_command="echo ran", {keywords})')


def python(keywords: str, function: str) -> str:
    """A file with one Python task that calls this function."""
    return f"{function}\n{dag('', f'PythonOperator(task_id=chr(116), python_callable=f, {keywords})')}"


START = "start_date=datetime(2026, 1, 1)"

RUNS = {
    # a DAG's
    "schedule_interval": (dag(f'{START}, schedule_interval="@daily"'), "2026-03-31"),
    "schedule_interval of a timedelta": (dag(f"{START}, schedule_interval=timedelta(hours=1)"), "2026-03-31"),
    "timetable": (
        "from airflow.timetables.interval import CronDataIntervalTimetable\n"
        + dag(f'{START}, timetable=CronDataIntervalTimetable("0 0 * * *", timezone="UTC")'),
        "2026-03-31",
    ),
    "concurrency": (dag(f"{START}, concurrency=3"), "2026-03-31"),
    "default_view, orientation and full_filepath": (
        dag(f'{START}, default_view="tree", orientation="TB", full_filepath=__file__'), "2026-03-31",
    ),
    "fail_stop": (dag(f"{START}, fail_stop=True"), "2026-03-31"),
    "a start date as text in default_args": (dag('default_args={"start_date": "2026-01-01", "owner": "me"}'), "2026-03-31"),
    "user_defined_macros and filters": (
        dag(
            "user_defined_macros={'twice': lambda x: 2 * x}, user_defined_filters={'up': str.upper}",
            'BashOperator(task_id="t", bash_command="echo {{ twice(4) }} {{ \'a\' | up }}")',
        ),
        "8 A",
    ),
    "jinja_environment_kwargs": (
        dag(
            "jinja_environment_kwargs={'variable_start_string': '<<', 'variable_end_string': '>>'}",
            'BashOperator(task_id="t", bash_command="echo << ds >>")',
        ),
        "2026-03-31",
    ),
    "render_template_as_native_obj": (
        dag(
            "render_template_as_native_obj=True, params={'n': [1, 2]}",
            'PythonOperator(task_id="t", python_callable=sum, op_args=["{{ params.n }}"])',
        ),
        3,
    ),
    "render_template_as_native_obj of one task": (
        dag(
            "params={'n': [1, 2]}",
            'PythonOperator(task_id="t", python_callable=sum, op_args=["{{ params.n }}"], render_template_as_native_obj=True)',
        ),
        3,
    ),
    "what only pages show": (
        dag(
            'description="d", tags=["a"], owner_links={"me": "https://example.com"}, doc_md="# d", '
            'access_control={"team": {"can_read"}}, dag_display_name="D", is_paused_upon_creation=False'
        ),
        "2026-03-31",
    ),
    "params": (
        dag('params={"a": 1}', 'BashOperator(task_id="t", bash_command="echo {{ params.a }} {{ params.b }}", params={"b": 2})'),
        "1 2",
    ),
    # a task's
    "provide_context": (python("provide_context=True", "def f(**context):\n    return context['ds']"), "2026-03-31"),
    "execution_date": (python("", "def f(execution_date):\n    return execution_date.isoformat()"), "2026-03-31T06:00:00+00:00"),
    "execution_date in a template": (
        dag("", 'BashOperator(task_id="t", bash_command="echo {{ execution_date.year }} {{ next_ds }} {{ yesterday_ds_nodash }}")'),
        "2026 2026-03-31 20260330",
    ),
    "task_concurrency": (bash("task_concurrency=1"), "ran"),
    "max_active_tis_per_dag and per_dagrun": (bash("max_active_tis_per_dag=1, max_active_tis_per_dagrun=1"), "ran"),
    "xcom_push": (bash("xcom_push=True"), "ran"),
    "xcom_push off": (bash("xcom_push=False"), None),
    "do_xcom_push": (bash("do_xcom_push=False"), None),
    "executor_config": (bash("executor_config={'KubernetesExecutor': {'image': 'x'}}"), "ran"),
    "depends_on_past and wait_for_downstream": (bash("depends_on_past=True, wait_for_downstream=True"), "ran"),
    "retry_delay as seconds": (
        bash("retries=2, retry_delay=60, max_retry_delay=timedelta(hours=1), retry_exponential_backoff=True"), "ran",
    ),
    "weight_rule and priority_weight": (bash("weight_rule='absolute', priority_weight=5"), "ran"),
    "queue, pool and pool_slots": (bash("queue='other', pool='mine', pool_slots=2"), "ran"),
    "docs": (bash("doc='a', doc_md='b', doc_json='{}', doc_yaml='c: 1', doc_rst='d'"), "ran"),
    "task_display_name and allow_nested_operators": (bash("task_display_name='T', allow_nested_operators=False"), "ran"),
    "inlets and outlets": (
        "from airflow.datasets import Dataset\n" + bash("inlets=[Dataset('s3://a')], outlets=[Dataset('s3://b')]"), "ran",
    ),
    "ignore_first_depends_on_past": (bash("ignore_first_depends_on_past=True"), "ran"),
    "execution_timeout and owner": (bash("execution_timeout=timedelta(minutes=1), owner='me'"), "ran"),
    "multiple_outputs": (python("multiple_outputs=True", "def f():\n    return {'a': 1}"), {"a": 1}),
    "templates_dict": (
        python("templates_dict={'q': '{{ ds }}'}", "def f(templates_dict):\n    return templates_dict['q']"), "2026-03-31",
    ),
    "old names of modules": (
        "from airflow.contrib.sensors.python_sensor import PythonSensor\n"
        "from airflow.sensors.base_sensor_operator import BaseSensorOperator\n"
        "from airflow.operators.dummy_operator import DummyOperator\nfrom airflow.operators.dummy import EmptyOperator\n"
        "from airflow.utils.dates import datetime, timedelta\n"
        "from airflow.utils.helpers import chain\nfrom airflow.utils.decorators import apply_defaults\n" + bash(""),
        "ran",
    ),
}  # fmt: skip
"""A file whose task `t` succeeds, and what that returns."""

WARNS = {
    "sla": (bash("sla=timedelta(hours=1)"), "sla has no effect; use execution_timeout"),
    "sla_miss_callback": (dag("sla_miss_callback=note"), "sla_miss_callback has no effect"),
    "schedule_interval of a task": (bash("schedule_interval='@daily'"), "schedule_interval has no effect; a task has no"),
    "a deadline after the average": (
        "from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference\n"
        "alert = DeadlineAlert(reference=DeadlineReference.AVERAGE_RUNTIME(), interval=timedelta(hours=1), "
        "callback=AsyncCallback(note))\n" + dag("deadline=alert"),
        "a deadline after AVERAGE_RUNTIME has no effect",
    ),
    "allowed_run_types": (dag("allowed_run_types=['manual']"), "allowed_run_types has no effect"),
    "disable_bundle_versioning": (dag("disable_bundle_versioning=True"), "disable_bundle_versioning has no effect"),
    "executor": (bash("executor='LocalExecutor'"), "executor has no effect; use queue"),
    "resources": (bash("resources={'cpus': 2}"), "resources has no effect"),
    "wait_for_past_depends_before_skipping": (
        bash("depends_on_past=True, wait_for_past_depends_before_skipping=True"),
        "wait_for_past_depends_before_skipping has no effect",
    ),
    "days_ago": (
        "from airflow.utils.dates import days_ago\n" + dag("start_date=days_ago(2)"), "days_ago(2) is another date each",
    ),
}  # fmt: skip
"""A file that runs, and what is said of it."""

REFUSED = {
    "SubDagOperator": (
        "from airflow.operators.subdag_operator import SubDagOperator\n"
        + dag("", 'SubDagOperator(task_id="part", subdag=DAG("d.part"))'),
        "put its tasks into a TaskGroup",
    ),
    "two schedules": (dag("schedule='@daily', schedule_interval='@daily'"), "say the same thing; keep schedule"),
    "an unknown keyword": (bash("bash_comand='x'"), "unknown keyword 'bash_comand'; did you mean 'bash_command'"),
    "a positional argument": (dag("", 'BashOperator("t", "echo")'), "arguments need their names"),
    "an unknown trigger rule": (bash("trigger_rule='all_good'"), "no such rule; use one of all_success"),
    "a relativedelta": (
        "from dateutil.relativedelta import relativedelta\n" + dag("schedule=relativedelta(months=3)"),
        "for months write '@monthly' or a cron expression such as '0 0 1 */3 *'",
    ),
    "an unknown weight rule": (bash("weight_rule='mine'"), "weight_rule is 'mine', wanted one of absolute"),
}  # fmt: skip
"""A file that cannot run, and what its author is told."""


@pytest.mark.parametrize("spelling", RUNS)
def test_it_runs(tmp_path: Path, spelling: str) -> None:
    text, value = RUNS[spelling]

    outcome = run(tmp_path, text)

    assert outcome.states == {"t": "success"}
    assert outcome.values["t"] == value


@pytest.mark.parametrize("spelling", WARNS)
def test_it_runs_and_says_what_is_lost(tmp_path: Path, spelling: str) -> None:
    text, said = WARNS[spelling]

    outcome = run(tmp_path, text)

    assert outcome.states == {"t": "success"}
    assert any(said in one for one in outcome.said), outcome.said


@pytest.mark.parametrize("spelling", REFUSED)
def test_it_is_refused_with_what_to_write_instead(tmp_path: Path, spelling: str) -> None:
    text, said = REFUSED[spelling]

    with pytest.raises(FlowdError) as error:
        run(tmp_path, text)
    assert said in str(error.value)


NOT_HERE = {
    "a query for runs": ("from airflow.models import DagRun\nDagRun.find(dag_id='d')", "DagRun.find is not in flowd: tasks have no"),
    "a query for tasks": (
        "from airflow.models import TaskInstance\nTaskInstance.get_task_instance('d', 'r', 't', -1)",
        "ask flowd's REST API, which answers as Airflow's does",
    ),
    "a query for DAGs": ("from airflow.models import DagBag\nDagBag()", "ask flowd's REST API"),
    "the API's own code": (
        "from airflow.api.common.trigger_dag import trigger_dag", "a task triggers runs with TriggerDagRunOperator",
    ),
    "an executor": ("from airflow.executors.local_executor import LocalExecutor", "is of Airflow's own processes"),
    "a decorator of a provider": ("from airflow.sdk import task\ntask.docker(image='x')", "the providers that are installed"),
}  # fmt: skip
"""A file that asks for what only Airflow has, and what its author is told."""


@pytest.mark.parametrize("asked", NOT_HERE)
def test_what_only_airflow_has_is_refused_with_the_way_to_it(tmp_path: Path, asked: str) -> None:
    text, said = NOT_HERE[asked]

    with pytest.raises((FlowdError, AirflowException, AttributeError, ImportError)) as error:
        run(tmp_path, f"{text}\n{dag('')}")
    assert said in str(error.value)


def test_the_older_keywords_of_a_dag_mean_the_new_ones(tmp_path: Path) -> None:
    made = run(tmp_path, dag(f"{START}, concurrency=3, fail_stop=True, schedule_interval='@hourly'")).dag

    assert (made.max_active_tasks, made.fail_fast, made.schedule) == (3, True, "@hourly")


def test_older_trigger_rules_decide_as_the_new_ones(tmp_path: Path) -> None:
    body = """
bad = BashOperator(task_id="bad", bash_command="exit 1")
good = BashOperator(task_id="good", bash_command="true")
skip = BashOperator(task_id="skip", bash_command="exit 99")
[bad, good] >> DummyOperator(task_id="always", trigger_rule="dummy")
[skip, good] >> DummyOperator(task_id="some", trigger_rule="none_failed_or_skipped")
[skip, bad] >> DummyOperator(task_id="none", trigger_rule="none_failed_or_skipped")
"""

    assert run(tmp_path, dag("", body)).states == {
        "bad": "failed", "good": "success", "skip": "skipped", "always": "success", "some": "success",
        "none": "upstream_failed",
    }  # fmt: skip


def test_hooks_and_lists_of_callbacks_are_called(tmp_path: Path) -> None:
    outcome = run(
        tmp_path,
        "def count(name):\n    return lambda *args, **kwargs: names.append(name)\n"
        "names = []\n"
        + dag(
            "on_success_callback=[count('dag 1'), count('dag 2')]",
            """
PythonOperator(
    task_id="t", python_callable=lambda: None, pre_execute=count("pre"), post_execute=count("post"),
    on_execute_callback=count("begin"), on_success_callback=[count("success 1"), count("success 2")],
)
dag.names = names
""",
        ),
    )

    names: list[str] = outcome.dag.names  # type: ignore[attr-defined]
    assert names == ["begin", "pre", "post", "success 1", "success 2", "dag 1", "dag 2"]


def test_template_files_are_found_on_the_search_path(tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "say.sh").write_text("echo {{ ds_nodash }}\n")

    text = dag(f"template_searchpath={str(tmp_path / 'sql')!r}", 'BashOperator(task_id="t", bash_command="say.sh")')

    assert run(tmp_path, text).values["t"] == "20260331"


def test_colours_of_a_class_are_kept(tmp_path: Path) -> None:
    outcome = run(
        tmp_path,
        "class Own(BashOperator):\n    ui_color = '#123456'\n    ui_fgcolor = '#fff'\n"
        + dag("", 'Own(task_id="t", bash_command="true")'),
    )

    assert outcome.dag.get_task("t").ui_color == "#123456"


def test_an_old_name_in_templates_is_told_once_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "_told", set())
    with caplog.at_level("WARNING"):
        run(tmp_path, dag("", 'BashOperator(task_id="t", bash_command="echo {{ prev_ds }} {{ prev_ds }}")'))

    told = [record.message for record in caplog.records if "a template uses prev_ds" in record.message]
    assert len(told) == 1
    assert "write prev_data_interval_start_success | ds" in told[0]
