"""The table of old paths: module -> name -> where flowd has it (`module:attribute`, or a module)."""

from collections.abc import Mapping

from flowd.compat.library_table import LIBRARY, OBJECT_PATH, put_together
from flowd.compat.operators_table import OPERATORS
from flowd.compat.partition_table import PARTITION_TABLE
from flowd.compat.provider_table import PROVIDER_TABLE
from flowd.compat.services_table import SERVICES
from flowd.compat.waiting_table import WAITING

_DAG = {"DAG": "flowd.sdk.dag:DAG"}
_DAG_DECORATOR = {"dag": "flowd.sdk.dag_decorator:dag"}
_TASK = {"task": "flowd.operators.decorators:task"}
_SETUP_TEARDOWN = {
    "setup": "flowd.operators.setup_teardown:setup",
    "teardown": "flowd.operators.setup_teardown:teardown",
}
_TASK_GROUP = {"TaskGroup": "flowd.sdk.task_group:TaskGroup"}
_TASK_GROUP_DECORATOR = {"task_group": "flowd.sdk.task_group_decorator:task_group"}
_BASE_OPERATOR = {"BaseOperator": "flowd.sdk.base_operator:BaseOperator"}
_CHAIN = {
    "chain": "flowd.sdk.edges:chain",
    "chain_linear": "flowd.sdk.edges:chain_linear",
    "cross_downstream": "flowd.sdk.edges:cross_downstream",
}
_VARIABLE = {"Variable": "flowd.sdk.variable:Variable"}
_CONNECTION = {"Connection": "flowd.sdk.connection:Connection"}
_PARAM = {"Param": "flowd.sdk.param:Param", "ParamsDict": "flowd.sdk.param:ParamsDict"}
_DAG_PARAM = {"DagParam": "flowd.sdk.xcom_arg:DagParam"}
_XCOM_ARG = {"XComArg": "flowd.sdk.xcom_arg:XComArg", "PlainXComArg": "flowd.sdk.xcom_arg:XComArg"}
_HOOK = {"BaseHook": "flowd.sdk.hook:BaseHook"}
_CONTEXT = {"Context": "flowd.sdk.context:Context"}
_CURRENT_CONTEXT = {"get_current_context": "flowd.sdk.context:get_current_context"}
_LABEL = {"Label": "flowd.sdk.label:Label", "EdgeModifier": "flowd.sdk.label:Label"}
_LITERAL = {"literal": "flowd.sdk.templates:literal"}
_TASK_INSTANCE = {"TaskInstance": "flowd.sdk.task_instance:RunningTaskInstance"}
_DAG_RUN = {"DagRun": "flowd.sdk.dag_run:RunningDagRun"}
_TRIGGER_RULE = {"TriggerRule": "flowd.domain.trigger_rules:TriggerRule"}
_WEIGHT_RULE = {"WeightRule": "flowd.compat.weight_rule:WeightRule"}
_STATES = {
    "DagRunState": "flowd.domain.states:RunState",
    "State": "flowd.compat.state:State",
    "TaskInstanceState": "flowd.domain.states:TaskState",
}
_BASH = {"BashOperator": "flowd.operators.bash:BashOperator"}
_EMPTY = {"EmptyOperator": "flowd.operators.empty:EmptyOperator"}
_DUMMY = {**_EMPTY, "DummyOperator": "flowd.operators.empty:EmptyOperator"}
_BRANCH = {
    "BaseBranchOperator": "flowd.operators.branch:BaseBranchOperator",
}
_BRANCH_DATE_TIME = {"BranchDateTimeOperator": "flowd.operators.branch_dates:BranchDateTimeOperator"}
_BRANCH_WEEK_DAY = {"BranchDayOfWeekOperator": "flowd.operators.branch_dates:BranchDayOfWeekOperator"}
_LATEST_ONLY = {"LatestOnlyOperator": "flowd.operators.latest_only:LatestOnlyOperator"}
_NOTIFIER = {"BaseNotifier": "flowd.sdk.notifier:BaseNotifier"}
_PYTHON = {
    "BranchPythonOperator": "flowd.operators.branch:BranchPythonOperator",
    "PythonOperator": "flowd.operators.python:PythonOperator",
    "ShortCircuitOperator": "flowd.operators.short_circuit:ShortCircuitOperator",
}
_SENSOR = {
    "BaseSensorOperator": "flowd.sdk.base_sensor:BaseSensorOperator",
    "PokeReturnValue": "flowd.sdk.base_sensor:PokeReturnValue",
    "poke_mode_only": "flowd.sdk.base_sensor:poke_mode_only",
}
_BASH_SENSOR = {"BashSensor": "flowd.operators.sensors.bash:BashSensor"}
_FILE_SENSOR = {"FileSensor": "flowd.operators.sensors.file:FileSensor"}
_MOMENT_SENSORS = {
    name: f"flowd.operators.sensors.moments:{name}"
    for name in ("DateTimeSensor", "DayOfWeekSensor", "TimeDeltaSensor", "TimeSensor", "WaitSensor")
}
_PYTHON_SENSOR = {"PythonSensor": "flowd.operators.sensors.python:PythonSensor"}
_EXCEPTIONS = {
    name: f"flowd.sdk.exceptions:{name}"
    for name in (
        "AirflowConfigException", "AirflowException", "AirflowFailException", "AirflowNotFoundException",
        "AirflowRescheduleException",
        "AirflowSensorTimeout", "AirflowSkipException", "AirflowTaskTimeout", "DuplicateTaskIdFound",
        "ParamValidationError", "TaskNotFound", "XComNotFound",
    )
}  # fmt: skip
_CRON_TIMETABLES = {
    "CronDataIntervalTimetable": "flowd.sdk.known_timetables:CronDataIntervalTimetable",
    "DeltaDataIntervalTimetable": "flowd.sdk.known_timetables:DeltaDataIntervalTimetable",
}
_TRIGGER_TIMETABLES = {
    "CronTriggerTimetable": "flowd.sdk.known_timetables:CronTriggerTimetable",
    "DeltaTriggerTimetable": "flowd.sdk.known_timetables:DeltaTriggerTimetable",
    "MultipleCronTriggerTimetable": "flowd.sdk.known_timetables:MultipleCronTriggerTimetable",
}
_EVENTS_TIMETABLE = {"EventsTimetable": "flowd.sdk.known_timetables:EventsTimetable"}
_SIMPLE_TIMETABLES = {
    "ContinuousTimetable": "flowd.domain.timetable:ContinuousTimetable",
    "NullTimetable": "flowd.domain.timetable:NullTimetable",
    "OnceTimetable": "flowd.domain.timetable:OnceTimetable",
}
_ASSETS = {
    name: f"flowd.sdk.assets:{name}"
    for name in ("Asset", "AssetAlias", "AssetAll", "AssetAny", "BaseAsset", "Dataset", "Metadata", "Model")
}
_ASSET_NAMES = {name: path for name, path in _ASSETS.items() if name not in ("BaseAsset", "Dataset")}
_DATASETS = {
    "Dataset": _ASSETS["Dataset"],
    "DatasetAlias": _ASSETS["AssetAlias"],
    "DatasetAll": _ASSETS["AssetAll"],
    "DatasetAny": _ASSETS["AssetAny"],
}
_ASSET_OR_TIME = {"AssetOrTimeSchedule": "flowd.sdk.assets:AssetOrTimeSchedule"}
_VERSION = {"__version__": "flowd.compat.version:AIRFLOW_VERSION", "version": "flowd.compat.version:AIRFLOW_VERSION"}

MODULES: dict[str, dict[str, str]] = {
    "airflow": {**_DAG, "Dataset": _ASSETS["Dataset"], "__version__": _VERSION["__version__"]},
    "airflow.sdk": {
        **_DAG, **_DAG_DECORATOR, **_TASK, **_TASK_GROUP, **_TASK_GROUP_DECORATOR, **_BASE_OPERATOR, **_CHAIN,
        **_VARIABLE, **_CONNECTION, **_CONTEXT, **_CURRENT_CONTEXT, **_HOOK, **_LITERAL, **_SIMPLE_TIMETABLES,
        **_CRON_TIMETABLES, **_TRIGGER_TIMETABLES, **_EVENTS_TIMETABLE, **_STATES, **_TRIGGER_RULE, **_WEIGHT_RULE,
        "BaseBranchOperator": _BRANCH["BaseBranchOperator"],
        **_LABEL, **_SETUP_TEARDOWN, **_NOTIFIER,
        "BaseSensorOperator": _SENSOR["BaseSensorOperator"],
        "PokeReturnValue": _SENSOR["PokeReturnValue"],
        **_ASSET_NAMES, **_ASSET_OR_TIME,
        "timezone": "flowd.compat.timezone",
        "Param": _PARAM["Param"],
        "ParamsDict": _PARAM["ParamsDict"],
        "XComArg": _XCOM_ARG["XComArg"],
        **OBJECT_PATH,
    },
    "airflow.sdk.api.datamodels._generated": _TRIGGER_RULE,
    "airflow.sdk.bases.hook": _HOOK,
    "airflow.sdk.bases.notifier": _NOTIFIER,
    "airflow.sdk.bases.operator": {**_BASE_OPERATOR, **_CHAIN},
    "airflow.sdk.bases.sensor": _SENSOR,
    "airflow.sdk.definitions.asset": _ASSETS,
    "airflow.sdk.definitions.asset.metadata": {"Metadata": _ASSETS["Metadata"]},
    "airflow.sdk.definitions.connection": _CONNECTION,
    "airflow.sdk.definitions.context": {**_CONTEXT, **_CURRENT_CONTEXT},
    "airflow.sdk.definitions.dag": {**_DAG, **_DAG_DECORATOR},
    "airflow.sdk.definitions.edges": _LABEL,
    "airflow.sdk.definitions.param": {**_PARAM, **_DAG_PARAM},
    "airflow.sdk.definitions.taskgroup": _TASK_GROUP,
    "airflow.sdk.definitions.template": _LITERAL,
    "airflow.sdk.definitions.variable": _VARIABLE,
    "airflow.sdk.definitions.xcom_arg": _XCOM_ARG,
    "airflow.sdk.exceptions": _EXCEPTIONS,
    "airflow.sdk.types": {
        "DagRunProtocol": _DAG_RUN["DagRun"],
        "RuntimeTaskInstanceProtocol": _TASK_INSTANCE["TaskInstance"],
    },
    "airflow.assets": _ASSET_NAMES,
    "airflow.assets.metadata": {"Metadata": _ASSETS["Metadata"]},
    "airflow.datasets": _DATASETS,
    "airflow.datasets.metadata": {"Metadata": _ASSETS["Metadata"]},
    "airflow.decorators": {**_DAG_DECORATOR, **_TASK, **_TASK_GROUP_DECORATOR, **_SETUP_TEARDOWN},
    "airflow.decorators.condition": {name: f"flowd.operators.conditions:{name}" for name in ("run_if", "skip_if")},
    "airflow.decorators.setup_teardown": {f"{name}_task": home for name, home in _SETUP_TEARDOWN.items()},
    "airflow.exceptions": _EXCEPTIONS,
    "airflow.hooks.base": _HOOK,
    "airflow.hooks.base_hook": _HOOK,
    "airflow.macros": {
        name: f"flowd.sdk.macros:{name}" for name in ("datetime_diff_for_humans", "ds_add", "ds_format")
    },
    "airflow.models": {
        **_DAG, **_BASE_OPERATOR, **_VARIABLE, **_CONNECTION, **_TASK_INSTANCE, **_DAG_RUN, **_XCOM_ARG,
        "Param": _PARAM["Param"],
    },
    "airflow.models.baseoperator": {**_BASE_OPERATOR, **_CHAIN},
    "airflow.models.connection": _CONNECTION,
    "airflow.models.dag": {**_DAG, **_DAG_DECORATOR},
    "airflow.models.dagrun": _DAG_RUN,
    "airflow.models.param": {**_PARAM, **_DAG_PARAM},
    "airflow.models.taskinstance": _TASK_INSTANCE,
    "airflow.models.variable": _VARIABLE,
    "airflow.models.xcom_arg": _XCOM_ARG,
    "airflow.operators.bash": _BASH,
    "airflow.operators.bash_operator": _BASH,
    "airflow.operators.branch": _BRANCH,
    "airflow.operators.branch_operator": _BRANCH,
    "airflow.notifications.basenotifier": _NOTIFIER,
    "airflow.operators.datetime": _BRANCH_DATE_TIME,
    "airflow.operators.dummy": _DUMMY,
    "airflow.operators.dummy_operator": _DUMMY,
    "airflow.operators.empty": _EMPTY,
    "airflow.operators.latest_only": _LATEST_ONLY,
    "airflow.operators.latest_only_operator": _LATEST_ONLY,
    "airflow.operators.python": {**_PYTHON, **_CURRENT_CONTEXT},
    "airflow.operators.python_operator": _PYTHON,
    "airflow.operators.weekday": _BRANCH_WEEK_DAY,
    "airflow.providers.standard.operators.bash": _BASH,
    "airflow.providers.standard.operators.branch": _BRANCH,
    "airflow.providers.standard.operators.datetime": _BRANCH_DATE_TIME,
    "airflow.providers.standard.operators.empty": _EMPTY,
    "airflow.providers.standard.operators.latest_only": _LATEST_ONLY,
    "airflow.providers.standard.operators.python": {**_PYTHON, **_CURRENT_CONTEXT},
    "airflow.providers.standard.operators.weekday": _BRANCH_WEEK_DAY,
    "airflow.providers.standard.sensors.bash": _BASH_SENSOR,
    "airflow.providers.standard.sensors.date_time": _MOMENT_SENSORS,
    "airflow.providers.standard.sensors.filesystem": _FILE_SENSOR,
    "airflow.providers.standard.sensors.python": _PYTHON_SENSOR,
    "airflow.providers.standard.sensors.time": _MOMENT_SENSORS,
    "airflow.providers.standard.sensors.time_delta": _MOMENT_SENSORS,
    "airflow.providers.standard.sensors.weekday": _MOMENT_SENSORS,
    "airflow.sensors.base": _SENSOR,
    "airflow.sensors.base_sensor_operator": _SENSOR,
    "airflow.sensors.bash": _BASH_SENSOR,
    "airflow.sensors.date_time": _MOMENT_SENSORS,
    "airflow.sensors.date_time_sensor": _MOMENT_SENSORS,
    "airflow.sensors.filesystem": _FILE_SENSOR,
    "airflow.sensors.python": _PYTHON_SENSOR,
    "airflow.sensors.time_delta": _MOMENT_SENSORS,
    "airflow.sensors.time_delta_sensor": _MOMENT_SENSORS,
    "airflow.sensors.time_sensor": _MOMENT_SENSORS,
    "airflow.sensors.weekday": _MOMENT_SENSORS,
    "airflow.contrib.sensors.bash_sensor": _BASH_SENSOR,
    "airflow.contrib.sensors.file_sensor": _FILE_SENSOR,
    "airflow.contrib.sensors.python_sensor": _PYTHON_SENSOR,
    "airflow.contrib.sensors.weekday_sensor": _MOMENT_SENSORS,
    "airflow.operators.sensors": {**_SENSOR, **_MOMENT_SENSORS},
    "airflow.task.trigger_rule": _TRIGGER_RULE,
    "airflow.task.weight_rule": _WEIGHT_RULE,
    "airflow.timetables.assets": _ASSET_OR_TIME,
    "airflow.timetables.datasets": {"DatasetOrTimeSchedule": _ASSET_OR_TIME["AssetOrTimeSchedule"]},
    "airflow.timetables.events": _EVENTS_TIMETABLE,
    "airflow.timetables.interval": _CRON_TIMETABLES,
    "airflow.timetables.simple": _SIMPLE_TIMETABLES,
    "airflow.timetables.trigger": _TRIGGER_TIMETABLES,
    "airflow.utils.context": _CONTEXT,
    "airflow.utils.dates": {
        "days_ago": "flowd.compat.dates:days_ago",
        # Its own imports, which many a DAG file took from there.
        "datetime": "datetime:datetime",
        "timedelta": "datetime:timedelta",
    },
    "airflow.utils.decorators": {"apply_defaults": "flowd.compat.decorators:apply_defaults"},
    "airflow.utils.edgemodifier": _LABEL,
    "airflow.utils.helpers": {"chain": _CHAIN["chain"], "cross_downstream": _CHAIN["cross_downstream"]},
    "airflow.utils.log.logging_mixin": {"LoggingMixin": "flowd.compat.logging_mixin:LoggingMixin"},
    "airflow.utils.state": _STATES,
    "airflow.utils.task_group": _TASK_GROUP,
    "airflow.utils.template": _LITERAL,
    "airflow.utils.timezone": {
        name: f"flowd.compat.timezone:{name}"
        for name in ("coerce_datetime", "convert_to_utc", "datetime", "make_aware", "parse", "utc", "utcnow")
    },
    "airflow.utils.trigger_rule": _TRIGGER_RULE,
    "airflow.utils.weight_rule": _WEIGHT_RULE,
    "airflow.version": {"version": _VERSION["version"]},
}  # fmt: skip
"""Every airflow module that DAG files may import."""


def _add(modules: Mapping[str, Mapping[str, str]]) -> None:
    for module, names in modules.items():
        MODULES[module] = {**names, **MODULES.get(module, {})}


_add(LIBRARY)
_add(OPERATORS)
_add(SERVICES)
_add(WAITING)
_add(PROVIDER_TABLE)
_add(PARTITION_TABLE)
_add(put_together(MODULES))
