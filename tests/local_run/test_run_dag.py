"""dag.test(): real tasks in this process, judged by the real agents."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from flowd import DAG, BashOperator, EmptyOperator, PythonOperator, Variable, get_current_context, task
from flowd.db.metastore import Metastore
from flowd.db.migrate import upgrade
from flowd.db.secrets_store import StoredVariable, Variables
from flowd.domain.errors import InvalidDag, InvalidInput
from flowd.local_run import run_task
from flowd.sdk.base_sensor import BaseSensorOperator
from flowd.sdk.exceptions import AirflowException, DagWarning, TaskNotFound
from flowd.sdk.timetable import DataInterval, Timetable
from flowd.security.vault import Vault

DATE = datetime(2026, 1, 31, tzinfo=UTC)


def states(run: Any) -> dict[str, tuple[str, int]]:
    return {one.task_id: (one.state.value, one.try_number) for one in run.tasks}


def test_a_run_goes_as_it_would_on_a_server() -> None:
    with DAG("etl", schedule="@daily", start_date=DATE, params={"factor": 2}) as dag:

        @task
        def numbers() -> list[int]:
            return [1, 2, 3]

        @task
        def scaled(values: list[int], params: Any = None) -> list[int]:
            return [value * params["factor"] for value in values]

        @task.branch
        def choose() -> str:
            return "left"

        left = BashOperator(task_id="left", bash_command="echo {{ ds }}: {{ ti.xcom_pull(task_ids='scaled') }}")
        right = BashOperator(task_id="right", bash_command="echo never")
        last = EmptyOperator(task_id="last", trigger_rule="none_failed_min_one_success")
        scaled(numbers()) >> choose() >> [left, right] >> last

    run = dag.test(logical_date=DATE, run_conf={"factor": 10})

    assert run.state == "success"
    assert states(run) == {
        "numbers": ("success", 1),
        "scaled": ("success", 1),
        "choose": ("success", 1),
        "left": ("success", 1),
        "right": ("skipped", 0),
        "last": ("success", 0),
    }
    assert run.get_task_instance("left").xcom_pull() == "2026-01-31: [10, 20, 30]"
    assert [one.task_id for one in run.get_task_instances(state="skipped")] == ["right"]


def test_a_task_runs_in_the_calling_thread_of_this_process() -> None:
    with DAG("etl") as dag:
        PythonOperator(task_id="where", python_callable=lambda: [os.getpid(), threading.get_ident()])

    run = dag.test()

    assert run.get_task_instance("where").xcom_pull() == [os.getpid(), threading.get_ident()]


def test_a_failure_is_tried_again_at_once_and_then_fails_the_run() -> None:
    called: list[str] = []

    def note(name: str) -> Any:
        return lambda context: called.append(f"{name} {context.get('reason') or context['ti'].try_number}")

    with DAG("etl", on_failure_callback=note("run failed")) as dag:

        @task(
            retries=1,
            retry_delay=timedelta(days=1),
            on_retry_callback=note("retry"),
            on_failure_callback=note("failure"),
        )
        def breaks() -> None:
            raise ValueError("no rows")

        breaks() >> EmptyOperator(task_id="after")

    run = dag.test()

    assert run.state == "failed"
    assert states(run) == {"breaks": ("failed", 2), "after": ("upstream_failed", 0)}
    assert called == ["retry 1", "failure 2", "run failed task_failure"]


def test_a_sensor_that_is_rescheduled_is_poked_again() -> None:
    class Second(BaseSensorOperator):
        def poke(self, context: Any) -> bool:
            return bool(context["ti"].leg)

    with DAG("etl") as dag:
        Second(task_id="wait", mode="reschedule", poke_interval=0.01)

    assert states(dag.test()) == {"wait": ("success", 1)}


def test_a_task_that_takes_too_long_is_stopped() -> None:
    stopped: list[str] = []

    class Slow(PythonOperator):
        def on_kill(self) -> None:
            stopped.append(self.task_id)

    with DAG("etl") as dag:
        Slow(task_id="slow", python_callable=lambda: time.sleep(60), execution_timeout=timedelta(seconds=0.2))

    assert states(dag.test()) == {"slow": ("failed", 1)}
    assert stopped == ["slow"]


def test_templates_are_rendered_anew_for_every_run() -> None:
    with DAG("etl") as dag:
        BashOperator(task_id="say", bash_command="echo {{ dag_run.conf['word'] }}")

    assert [dag.test(run_conf={"word": word}).get_task_instance("say").xcom_pull() for word in ("a", "b")] == ["a", "b"]


def test_ids_that_match_the_pattern_succeed_without_being_executed() -> None:
    def refuse() -> None:
        raise AssertionError("it was executed")

    with DAG("etl") as dag:
        for name in ("load_a", "load_b"):
            PythonOperator(task_id=name, python_callable=refuse)
        PythonOperator(task_id="work", python_callable=lambda: 1)

    run = dag.test(mark_success_pattern="load_.*")

    assert run.state == "success"
    assert run.get_task_instance("work").xcom_pull() == 1


def test_variables_and_connections_come_from_files_and_are_gone_after_the_run(tmp_path: Path) -> None:
    (tmp_path / "variables.json").write_text('{"bucket": "b", "limits": {"rows": 5}}')
    (tmp_path / "connections.env").write_text("# mine\ndb=mysql://me@h/s\n")

    with DAG("etl") as dag:
        BashOperator(
            task_id="say", bash_command="echo {{ var.value.bucket }} {{ var.json.limits.rows }} {{ conn.db.host }}"
        )

    run = dag.test(
        conn_file_path=str(tmp_path / "connections.env"), variable_file_path=str(tmp_path / "variables.json")
    )

    assert run.get_task_instance("say").xcom_pull() == "b 5 h"
    assert "AIRFLOW_VAR_BUCKET" not in os.environ


@pytest.fixture
def key(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of the home's metastore."""
    home.mkdir()
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("FLOWD__SECURITY__FERNET_KEY", key)
    return key


async def test_the_metastore_of_the_home_is_read_and_not_written(home: Path, key: str) -> None:
    metastore = Metastore(f"sqlite:///{home / 'flowd.db'}")
    await upgrade(metastore)
    variables = Variables(metastore, Vault([key]))
    await variables.set(StoredVariable(name="bucket", value="real"))

    def change() -> str:
        value: str = Variable.get("bucket")
        Variable.set("bucket", "changed")
        return f"{value} {Variable.get('bucket')}"

    with DAG("etl") as dag:
        PythonOperator(task_id="change", python_callable=change)

    # Its tasks run in this thread: the loop of the test waits meanwhile, as a user's would.
    run = dag.test()

    assert run.get_task_instance("change").xcom_pull() == "real changed"
    assert (await variables.get("bucket")).value == "real"
    await metastore.close()


def test_what_a_server_would_refuse_is_refused() -> None:
    with DAG("etl", params={"rows": 1}) as dag:
        BashOperator(task_id="say", bash_command="true", trigger_rule="never")

    with pytest.raises(InvalidDag, match="never"):
        dag.test()
    with pytest.raises(InvalidDag, match="logical_date and execution_date say the same thing"):
        dag.test(logical_date=DATE, execution_date=DATE)
    with pytest.raises(InvalidInput, match=r"gone\.json cannot be read"):
        DAG("empty").test(conn_file_path="gone.json")


def test_use_executor_is_ignored_and_says_so() -> None:
    with DAG("etl") as dag:
        EmptyOperator(task_id="nothing")

    with pytest.warns(DagWarning, match="use_executor has no effect"):
        assert dag.test(use_executor=True).state == "success"


def test_who_leaves_a_task_leaves_the_run() -> None:
    def leave() -> None:
        raise KeyboardInterrupt

    with DAG("etl") as dag:
        PythonOperator(task_id="leave", python_callable=leave)

    with pytest.raises(KeyboardInterrupt):
        dag.test()


def test_what_a_task_cannot_say_on_a_server_it_cannot_say_here() -> None:
    def push() -> None:
        get_current_context()["ti"].xcom_push("x", object())

    with DAG("etl") as dag:
        PythonOperator(task_id="push", python_callable=push)

    assert dag.test().state == "failed"


def test_one_task_runs_alone_whatever_it_waits_for() -> None:
    with DAG("etl") as dag:
        first = PythonOperator(task_id="first", python_callable=lambda: 1 / 0)
        first >> BashOperator(task_id="second", bash_command="echo {{ ti.xcom_pull(task_ids='first') }}")

    run = run_task(dag, "second", logical_date=DATE)

    assert states(run) == {"second": ("success", 1)}
    with pytest.raises(TaskNotFound, match="has no task 'third'"):
        run_task(dag, "third")


def test_an_error_of_the_task_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def breaks() -> None:
        raise AirflowException("the reason")

    with DAG("etl") as dag:
        PythonOperator(task_id="breaks", python_callable=breaks)
    dag.test()

    assert "AirflowException: the reason" in capsys.readouterr().err


def test_a_timetable_of_ones_own_says_what_the_run_is_about() -> None:
    class Halves(Timetable):
        def infer_manual_data_interval(self, *, run_after: datetime) -> DataInterval:
            return DataInterval(run_after - timedelta(hours=12), run_after)

    with DAG("etl", schedule=Halves()) as dag:
        BashOperator(task_id="say", bash_command="echo {{ data_interval_start.isoformat() }}")

    assert dag.test(logical_date=DATE).get_task_instance("say").xcom_pull() == "2026-01-30T12:00:00+00:00"
