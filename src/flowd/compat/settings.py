"""`airflow.settings`: a few facts, and the policies that flowd does not apply."""

import os
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

AIRFLOW_HOME = os.environ.get("AIRFLOW_HOME") or os.environ.get("FLOWD_HOME") or str(Path.home() / ".flowd")
DAGS_FOLDER = os.environ.get("AIRFLOW__CORE__DAGS_FOLDER") or os.path.join(AIRFLOW_HOME, "dags")
TIMEZONE = UTC


def task_policy(task: Any) -> None:
    """Leave the task as it is."""


def dag_policy(dag: Any) -> None:
    """Leave the DAG as it is."""


def pod_mutation_hook(pod: Any) -> None:
    """Leave the pod as it is."""


def get_airflow_context_vars(context: Mapping[str, Any]) -> dict[str, str]:
    """Return no further values for `context_to_airflow_vars`."""
    return {}
