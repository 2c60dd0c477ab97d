# mypy: ignore-errors
"""Imports the DAG of another file: it is shown here too only because it is a global here."""

from datetime import datetime

import tour

from flowd import DAG, EmptyOperator

with DAG("neighbour", start_date=datetime(2026, 1, 1)):
    EmptyOperator(task_id=f"tasks_{len(tour.tour.tasks)}")

DAG("forgotten", start_date=datetime(2026, 1, 1))
