"""DAGs that trigger each other and wait for each other."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sensors.external_task import ExternalTaskSensor

START = datetime(2024, 1, 1)

with DAG("told", schedule=None, start_date=START):
    BashOperator(task_id="say", bash_command="echo {{ dag_run.conf['word'] }}")

with DAG("teller", schedule=None, start_date=START):
    tell = TriggerDagRunOperator(
        task_id="tell",
        trigger_dag_id="told",
        trigger_run_id="told_by_{{ run_id }}",
        logical_date="{{ logical_date.isoformat() }}",
        conf={"word": "hello"},
        wait_for_completion=True,
        poke_interval=0.2,
    )
    heard = ExternalTaskSensor(
        task_id="heard",
        external_dag_id="told",
        external_task_id="say",
        mode="reschedule",
        check_existence=True,
        poke_interval=timedelta(seconds=0.2),
    )
    tell >> BashOperator(task_id="after", bash_command="echo {{ ti.xcom_pull('tell', key='trigger_run_id') }}")
