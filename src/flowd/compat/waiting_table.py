"""The table's part about what waits: for runs and tasks of other DAGs, for triggers, for people."""

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
    name: f"flowd.sdk.exceptions:{name}"
    for name in (
        "DagNotFound",
        "DagRunAlreadyExists",
        "DagRunNotFound",
        "TaskDeferralError",
        "TaskDeferralTimeout",
        "TaskDeferred",
    )
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

_TRIGGERS = {
    name: f"flowd.sdk.triggers:{name}"
    for name in (
        "BaseTaskEndEvent", "BaseTrigger", "StartTriggerArgs", "TaskFailedEvent", "TaskSkippedEvent",
        "TaskSuccessEvent", "TriggerEvent",
    )
}  # fmt: skip
_TEMPORAL = {name: f"flowd.operators.triggers.temporal:{name}" for name in ("DateTimeTrigger", "TimeDeltaTrigger")}
_FILE_TRIGGERS = {
    "FileTrigger": "flowd.operators.triggers.file:FileTrigger",
    **{
        name: f"flowd.operators.triggers.file_delete:{name}"
        for name in ("DirectoryFileDeleteTrigger", "FileDeleteTrigger")
    },
}
_EXTERNAL_TRIGGERS = {
    name: f"flowd.operators.triggers.external_task:{name}" for name in ("DagStateTrigger", "WorkflowTrigger")
}
_HITL = {
    name: f"flowd.operators.hitl:{name}"
    for name in ("ApprovalOperator", "HITLBranchOperator", "HITLEntryOperator", "HITLOperator")
}
_HITL_EXCEPTIONS = {
    name: f"flowd.sdk.exceptions:{name}"
    for name in ("HITLRejectException", "HITLTimeoutError", "HITLTriggerEventError")
}
_HITL_TRIGGER = {"HITLTrigger": "flowd.operators.triggers.hitl:HITLTrigger"}
_ASYNC_SENSORS = {
    name: f"flowd.operators.sensors.moments:{name}"
    for name in ("DateTimeSensorAsync", "TimeDeltaSensorAsync", "TimeSensorAsync")
}

WAITING: dict[str, dict[str, str]] = {
    "airflow.exceptions": _EXCEPTIONS,
    "airflow.operators.dagrun_operator": _TRIGGER_DAG_RUN,
    "airflow.operators.trigger_dagrun": {**_TRIGGER_DAG_RUN, **_DAG_IS_PAUSED},
    "airflow.providers.standard.exceptions": {**_EXTERNAL_EXCEPTIONS, **_HITL_EXCEPTIONS},
    "airflow.providers.standard.operators.hitl": _HITL,
    "airflow.providers.standard.triggers.hitl": _HITL_TRIGGER,
    "airflow.providers.standard.operators.trigger_dagrun": {**_TRIGGER_DAG_RUN, **_DAG_IS_PAUSED},
    "airflow.providers.standard.sensors.external_task": _EXTERNAL_TASK,
    "airflow.providers.standard.sensors.date_time": _ASYNC_SENSORS,
    "airflow.providers.standard.sensors.time": _ASYNC_SENSORS,
    "airflow.providers.standard.sensors.time_delta": _ASYNC_SENSORS,
    "airflow.providers.standard.triggers.external_task": _EXTERNAL_TRIGGERS,
    "airflow.providers.standard.triggers.file": _FILE_TRIGGERS,
    "airflow.providers.standard.triggers.temporal": _TEMPORAL,
    "airflow.sdk.definitions._internal.types": _NOT_SET,
    "airflow.sdk.exceptions": _EXCEPTIONS,
    "airflow.sensors.external_task": _EXTERNAL_TASK,
    "airflow.sensors.external_task_sensor": _EXTERNAL_TASK,
    "airflow.sdk.bases.trigger": _TRIGGERS,
    "airflow.sensors.date_time": _ASYNC_SENSORS,
    "airflow.sensors.time_delta": _ASYNC_SENSORS,
    "airflow.sensors.time_sensor": _ASYNC_SENSORS,
    "airflow.triggers": {},
    "airflow.triggers.base": _TRIGGERS,
    "airflow.triggers.external_task": _EXTERNAL_TRIGGERS,
    "airflow.triggers.file": _FILE_TRIGGERS,
    "airflow.triggers.temporal": _TEMPORAL,
    "airflow.utils.types": _NOT_SET,
}
"""Modules of operators, sensors and triggers that wait for other DAGs, and what they raise."""
