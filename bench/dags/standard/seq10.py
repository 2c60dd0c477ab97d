"""10 Python tasks in a row, each of which computes for a while: what flowd adds to real work."""

from datetime import datetime

from flowd import DAG, task


def fibo(number: int) -> int:
    return number if number < 2 else fibo(number - 1) + fibo(number - 2)


with DAG("bench_seq10", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):

    @task
    def fibo_of_33() -> int:
        return fibo(33)

    before = None
    for index in range(10):
        step = fibo_of_33.override(task_id=f"fibo_{index}")()
        if before is not None:
            before >> step
        before = step
