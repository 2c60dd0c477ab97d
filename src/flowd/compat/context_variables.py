"""`context_to_airflow_vars`: who the running task is, as text under names that other programs read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_VALUES = {
    "email": ("task", "email"),
    "owner": ("task", "owner"),
    "dag_id": ("task_instance", "dag_id"),
    "task_id": ("task_instance", "task_id"),
    "logical_date": ("dag_run", "logical_date"),
    "try_number": ("task_instance", "try_number"),
    "dag_run_id": ("dag_run", "run_id"),
}
_OLD_DATE = {"execution_date": ("dag_run", "logical_date")}
_NAMES = {name: f"dag_{name}" if name in ("email", "owner") else name for name in (*_VALUES, *_OLD_DATE)}

AIRFLOW_VAR_NAME_FORMAT_MAPPING = {
    f"AIRFLOW_CONTEXT_{name.upper()}": {
        "default": f"airflow.ctx.{name}",
        "env_var_format": f"AIRFLOW_CTX_{name.upper()}",
    }
    for name in _NAMES.values()
}
"""Airflow's name of each value, with dots and as the name of an environment variable."""


def context_to_airflow_vars(context: Mapping[str, Any], in_env_var_format: bool = False) -> dict[str, str]:
    """Return the values that are set: as `airflow.ctx.dag_id`, or for the environment as `AIRFLOW_CTX_DAG_ID`."""
    form = "env_var_format" if in_env_var_format else "default"
    found: dict[str, str] = {}
    for name, (of, attribute) in {**_VALUES, **_OLD_DATE}.items():
        value = getattr(context.get(of), attribute, None)
        if value:
            found[AIRFLOW_VAR_NAME_FORMAT_MAPPING[f"AIRFLOW_CONTEXT_{_NAMES[name].upper()}"][form]] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
