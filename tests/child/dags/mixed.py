# mypy: ignore-errors
"""One DAG that is fine and one that cannot be honoured, with a warning, and output while it is parsed."""

import warnings
from datetime import datetime

from airflow.utils.dates import days_ago

from flowd import DAG, BashOperator, EmptyOperator

warnings.warn("not for DAG authors", DeprecationWarning, stacklevel=1)

with DAG("fine", start_date=days_ago(1)):
    BashOperator(task_id="t", bash_command="true")

with DAG("circle", start_date=datetime(2026, 1, 1)):
    a, b = EmptyOperator(task_id="a"), EmptyOperator(task_id="b")
    a >> b >> a
