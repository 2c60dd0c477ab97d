"""Mapped over items in this file, and over what a task returns; the sum is over all instances."""

from datetime import datetime

from airflow import DAG
from airflow.decorators import task

with DAG("mapped", schedule=None, start_date=datetime(2024, 1, 1), default_args={"retries": 0}):

    @task
    def numbers() -> list[int]:
        return [3, 4]

    @task(map_index_template="{{ task.op_kwargs['x'] }} and {{ task.op_kwargs['y'] }}")
    def add(x: int, y: int) -> int:
        return x + y

    @task
    def total(found: list[int]) -> int:
        return sum(found)

    total(add.expand(x=[10, 20], y=numbers()))
