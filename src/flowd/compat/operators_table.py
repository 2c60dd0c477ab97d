"""The table's third part: operators beside the commonest, and what flowd has of providers that are not installed."""

_PYTHON_ELSEWHERE = {
    "BranchExternalPythonOperator": "flowd.operators.guest_python:BranchExternalPythonOperator",
    "BranchPythonVirtualenvOperator": "flowd.operators.virtualenv:BranchPythonVirtualenvOperator",
    "ExternalPythonOperator": "flowd.operators.guest_python:ExternalPythonOperator",
    "PythonVirtualenvOperator": "flowd.operators.virtualenv:PythonVirtualenvOperator",
}

OPERATORS: dict[str, dict[str, str]] = {
    "airflow.operators.python": _PYTHON_ELSEWHERE,
    "airflow.operators.python_operator": _PYTHON_ELSEWHERE,
    "airflow.providers.standard.operators.python": _PYTHON_ELSEWHERE,
}
"""Modules with operators of flowd's own."""
