"""The table's part about what waits for others: runs and tasks of other DAGs."""

_TRIGGER_DAG_RUN = {
    "TriggerDagRunOperator": "flowd.operators.trigger_dagrun:TriggerDagRunOperator",
}
_EXTERNAL_TASK = {
    "ExternalTaskMarker": "flowd.operators.sensors.external_task:ExternalTaskMarker",
    "ExternalTaskSensor": "flowd.operators.sensors.external_task:ExternalTaskSensor",
}
_DAG_IS_PAUSED = {"DagIsPaused": "flowd.sdk.exceptions:DagIsPaused"}
_NOT_SET = {"ArgNotSet": "flowd.sdk.not_set:ArgNotSet", "NOTSET": "flowd.sdk.not_set:NOTSET"}
_EXCEPTIONS = {
    name: f"flowd.sdk.exceptions:{name}" for name in ("DagNotFound", "DagRunAlreadyExists", "DagRunNotFound")
}
_EXTERNAL_EXCEPTIONS = {
    "AirflowExternalTaskSensorException": "flowd.sdk.exceptions:ExternalTaskSensorError",
    **{
        name: f"flowd.sdk.exceptions:{name}"
        for name in (
            "DuplicateStateError", "ExternalDagDeletedError", "ExternalDagFailedError", "ExternalDagNotFoundError",
            "ExternalTaskFailedError", "ExternalTaskGroupFailedError", "ExternalTaskGroupNotFoundError",
            "ExternalTaskNotFoundError",
        )
    },
}  # fmt: skip

WAITING: dict[str, dict[str, str]] = {
    "airflow.exceptions": _EXCEPTIONS,
    "airflow.operators.dagrun_operator": _TRIGGER_DAG_RUN,
    "airflow.operators.trigger_dagrun": {**_TRIGGER_DAG_RUN, **_DAG_IS_PAUSED},
    "airflow.providers.standard.exceptions": _EXTERNAL_EXCEPTIONS,
    "airflow.providers.standard.operators.trigger_dagrun": {**_TRIGGER_DAG_RUN, **_DAG_IS_PAUSED},
    "airflow.providers.standard.sensors.external_task": _EXTERNAL_TASK,
    "airflow.sdk.definitions._internal.types": _NOT_SET,
    "airflow.sdk.exceptions": _EXCEPTIONS,
    "airflow.sensors.external_task": _EXTERNAL_TASK,
    "airflow.sensors.external_task_sensor": _EXTERNAL_TASK,
    "airflow.utils.types": _NOT_SET,
}
"""Modules of operators, sensors and triggers that wait for other DAGs, and what they raise."""
