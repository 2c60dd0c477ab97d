"""40 Python tasks in a row, each of which does next to nothing: what a hop costs."""

from datetime import datetime

from flowd import DAG, task


def fibo(number: int) -> int:
    return number if number < 2 else fibo(number - 1) + fibo(number - 2)


with DAG("bench_seq40", schedule=None, start_date=datetime(2024, 1, 1), max_active_tasks=500):

    @task
    def fibo_of_ten() -> int:
        return fibo(10)

    before = None
    for index in range(40):
        step = fibo_of_ten.override(task_id=f"fibo_{index}")()
        if before is not None:
            before >> step
        before = step
