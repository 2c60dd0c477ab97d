"""The table's third part: operators beside the commonest, and what flowd has of providers that are not installed."""

_PYTHON_ELSEWHERE = {
    "is_venv_installed": "flowd.operators.virtualenv:is_venv_installed",
    "BranchExternalPythonOperator": "flowd.operators.guest_python:BranchExternalPythonOperator",
    "BranchPythonVirtualenvOperator": "flowd.operators.virtualenv:BranchPythonVirtualenvOperator",
    "ExternalPythonOperator": "flowd.operators.guest_python:ExternalPythonOperator",
    "PythonVirtualenvOperator": "flowd.operators.virtualenv:PythonVirtualenvOperator",
}

_SUB_DAG = {"SubDagOperator": "flowd.operators.refused:SubDagOperator"}
_RETRY_POLICY = {
    name: f"flowd.sdk.retry_policy:{name}"
    for name in ("ExceptionRetryPolicy", "RetryAction", "RetryDecision", "RetryPolicy", "RetryRule")
}
_DEADLINE = {
    name: f"flowd.sdk.deadline:{name}"
    for name in ("AsyncCallback", "DeadlineAlert", "DeadlineReference", "SyncCallback")
}
_TIMETABLE = {
    name: f"flowd.sdk.timetable:{name}" for name in ("DagRunInfo", "DataInterval", "TimeRestriction", "Timetable")
}
_MASK = {"mask_secret": "flowd.sdk.secret_values:mask_secret"}

OPERATORS: dict[str, dict[str, str]] = {
    "airflow.operators.python": _PYTHON_ELSEWHERE,
    "airflow.operators.python_operator": _PYTHON_ELSEWHERE,
    "airflow.operators.subdag": _SUB_DAG,
    "airflow.operators.subdag_operator": _SUB_DAG,
    "airflow.providers.standard.operators.python": _PYTHON_ELSEWHERE,
    "airflow.sdk": {**_RETRY_POLICY, **_DEADLINE},
    "airflow.sdk.definitions.callback": {name: _DEADLINE[name] for name in ("AsyncCallback", "SyncCallback")},
    "airflow.sdk.definitions.deadline": _DEADLINE,
    "airflow.sdk.definitions.retry_policy": _RETRY_POLICY,
    "airflow.sdk.log": _MASK,
    "airflow.sdk.execution_time.secrets_masker": _MASK,
    "airflow.timetables.base": _TIMETABLE,
    "airflow.utils.log.secrets_masker": _MASK,
}
"""Modules with operators of flowd's own."""
