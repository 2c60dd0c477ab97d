"""By which names of the environment secret backends, variables and connections are known; all but two are Airflow's."""

BACKEND_VARIABLE = "AIRFLOW__SECRETS__BACKEND"
"""Where a node tells its child processes that backends come before their environment."""

BACKEND_SECTION = "AIRFLOW__SECRETS__"
"""Begins what no task's process is given: it may hold credentials."""

VARIABLE_PREFIXES = ("AIRFLOW_VAR_", "FLOWD_VAR_")
CONNECTION_PREFIXES = ("AIRFLOW_CONN_", "FLOWD_CONN_")
"""Airflow's come first, since a task has them in its own environment; flowd's only the node has."""
