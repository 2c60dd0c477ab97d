"""Tasks that ask a person."""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import (
    ApprovalOperator,
    HITLBranchOperator,
    HITLEntryOperator,
    HITLOperator,
)
from airflow.sdk import DAG, Param

with DAG("asking", schedule=None, start_date=datetime(2024, 1, 1)):
    entry = HITLEntryOperator(
        task_id="entry",
        subject="How many rows for {{ run_id }}?",
        params={"rows": Param(3, type="integer", minimum=1), "why": Param("", type="string")},
    )
    late = HITLOperator(
        task_id="late",
        subject="Which?",
        options=["one", "two"],
        defaults="two",
        response_timeout=timedelta(seconds=1),
    )
    approve = ApprovalOperator(task_id="approve", subject="Go on?", body="{{ ti.xcom_pull('entry')['params_input'] }}")
    branch = HITLBranchOperator(task_id="branch", subject="Where to?", options=["left", "right"])
    entry >> approve >> EmptyOperator(task_id="behind")
    branch >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
    never = HITLOperator(task_id="never", subject="Anybody?", options=["yes"], response_timeout=timedelta(seconds=1))
