"""The DAGs that are measured: all of flowd's work and next to none of their own."""

from datetime import datetime

from flowd import DAG, BashOperator, task

START = datetime(2024, 1, 1)


def fibo(number: int) -> int:
    return number if number < 2 else fibo(number - 1) + fibo(number - 2)


with DAG("bench_seq40", schedule=None, start_date=START, max_active_tasks=500):

    @task
    def fibo_of_ten() -> int:
        return fibo(10)

    before = None
    for index in range(40):
        step = fibo_of_ten.override(task_id=f"fibo_{index}")()
        if before is not None:
            before >> step
        before = step

with DAG("bench_bash_fan", schedule=None, start_date=START, max_active_tasks=500):
    first = BashOperator(task_id="first", bash_command="true")
    last = BashOperator(task_id="last", bash_command="true")
    first >> [BashOperator(task_id=f"true_{index}", bash_command="true") for index in range(500)] >> last

with DAG("bench_noop_fan", schedule=None, start_date=START, max_active_tasks=500):

    @task
    def noop() -> None:
        pass

    for index in range(500):
        noop.override(task_id=f"noop_{index}")()

with DAG("bench_first", schedule=None, start_date=START, max_active_tasks=500):
    # Bash reads the clock before it opens the file.
    BashOperator(
        task_id="first",
        bash_command='printf "%s %s\\n" "$FLOWD_DAG_RUN_ID" "$EPOCHREALTIME" >> "$BENCH_JOURNAL"',
    )
