"""One bash task that writes down when it began: after a trigger, and every second once the second DAG is unpaused."""

from datetime import datetime, timedelta

from flowd import DAG, BashOperator

# Bash reads the clock before it opens the file.
JOURNAL = 'printf "%s %s\\n" "$FLOWD_DAG_RUN_ID" "$EPOCHREALTIME" >> "$BENCH_JOURNAL"'

with DAG("bench_first", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):
    BashOperator(task_id="first", bash_command=JOURNAL)

with DAG(
    "bench_every_second",
    schedule=timedelta(seconds=1),
    start_date=datetime(2024, 1, 1),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=16,
):
    BashOperator(task_id="first", bash_command=JOURNAL)
