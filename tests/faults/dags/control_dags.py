"""Small DAGs for the negative controls, written down in the journal as those of journal_dags are."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator

NOTE = """
note() {
    read -r up _ < /proc/uptime
    up=$((10#${up/./}))
    [[ $1 != begin ]] || up=$((up + 1))
    line="$1 ${up}0000000 $FLOWD_DAG_ID $FLOWD_DAG_RUN_ID $FLOWD_TASK_ID $FLOWD_MAP_INDEX $FLOWD_TRY_NUMBER"
    line="$line $FLOWD_CLAIM_TOKEN $$"
    echo "$line"
    echo "$line" >> "$JOURNAL"
}
note begin
"""
USUAL = {"schedule": None, "start_date": datetime(2024, 1, 1)}
RETRIED = {"retries": 5, "retry_delay": timedelta(milliseconds=200)}

with DAG("control_one", **USUAL):
    BashOperator(task_id="one", bash_command=f"{NOTE}\nnote end")

with DAG("control_flaky", default_args=RETRIED, **USUAL):
    BashOperator(task_id="flaky", bash_command=f"{NOTE}\n[[ $FLOWD_TRY_NUMBER != 1 ]] || exit 1\nnote end")

with DAG("control_waiting", default_args=RETRIED, **USUAL):
    BashOperator(
        task_id="waiting",
        bash_command=f'{NOTE}\nuntil test -e "$JOURNAL.go"; do sleep 0.1; note tick; done; note end',
    )
