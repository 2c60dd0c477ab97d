"""The table's fifth part: what providers, plugins and a few DAG files import beside DAGs, tasks and operators."""


def _all(home: str, *names: str) -> dict[str, str]:
    return {name: f"{home}:{name}" for name in names}


_CONTEXT = {
    **_all("flowd.sdk.context", "Context", "get_current_context"),
    **_all("flowd.operators.custom_decorated", "context_merge"),
}
_STATE = _all("flowd.sdk.state_store", "NEVER_EXPIRE")
_STRATEGY = _all("flowd.sdk.priority_strategy", "PriorityWeightStrategy")
_ASSETS = {
    **_all("flowd.sdk.assets", "AssetAccessControl"),
    **_all("flowd.sdk.asset_watchers", "AssetWatcher"),
    **_all("flowd.operators.asset_decorator", "asset"),
}
_ASYNC = _all("flowd.operators.async_operator", "BaseAsyncOperator")
_CONTEXT_VARIABLES = _all(
    "flowd.compat.context_variables", "AIRFLOW_VAR_NAME_FORMAT_MAPPING", "context_to_airflow_vars"
)
_DECORATING = {
    **_all("flowd.operators.custom_decorated", "DecoratedOperator", "is_async_callable", "task_decorator_factory"),
    "TaskDecorator": "flowd.operators.decorators:TaskDecorator",
    "determine_kwargs": "flowd.operators.call_arguments:arguments_for",
    "get_unique_task_id": "flowd.operators.decorated:unused_id",
}
_ERRORS = _all(
    "flowd.compat.error_names",
    "AirflowBadRequest", "AirflowClusterPolicyViolation", "AirflowDagCycleException", "AirflowInternalRuntimeError",
    "AirflowOptionalProviderFeatureException", "AirflowParsingException", "AirflowProviderDeprecationWarning",
    "AirflowTimetableInvalid", "DeserializingResultError", "PodMutationHookException", "PodReconciliationError",
    "PoolNotFound", "RemovedInAirflow3Warning", "RemovedInAirflow4Warning", "SerializationError",
    "TaskInstanceNotFound", "UnmappableXComTypePushed",
    "XComForMappingNotPushed",
)  # fmt: skip
_HOOKS_OF_POLICY = _all("flowd.compat.settings", "dag_policy", "pod_mutation_hook", "task_policy")
_LINEAGE = _all(
    "flowd.compat.lineage", "HookLineage", "HookLineageCollector", "HookLineageReader", "get_hook_lineage_collector"
)
_LINK = _all("flowd.sdk.operator_link", "BaseOperatorLink")
_LOADING = _all("flowd.compat.dotted_names", "import_string", "is_valid_dotpath", "iter_namespace", "qualname")
_LOGGING = _all("flowd.compat.logging_mixin", "LoggingMixin", "remove_escape_codes")
_MASKING = {**_all("flowd.sdk.secret_values", "mask_secret"), "redact": "flowd.sdk.secret_values:redacted"}
_NOT_SET = _all("flowd.sdk.not_set", "NOTSET", "SET_DURING_EXECUTION", "ArgNotSet", "is_arg_set")
_PLUGINS = {"ProvidersManager": "flowd.compat.installed_hooks:ProvidersManager"}
_SESSION = {
    **_all("flowd.compat.no_metastore", "create_session", "provide_session"),
    "NEW_SESSION": "flowd.compat.no_metastore:NO_SESSION",
}
_SKIPPING = _all("flowd.compat.skip_mixin", "SkipMixin")
_TASK_KEY = _all("flowd.sdk.task_instance_key", "TaskInstanceKey")
_XCOM = {
    "BaseXCom": "flowd.sdk.xcom:XCom",
    "XCom": "flowd.sdk.xcom:XCom",
    "XCOM_RETURN_KEY": "flowd.sdk.xcom_arg:RETURN_KEY",
}
_YAML = _all("yaml", "YAMLError", "dump", "load", "safe_load")

PROVIDER_TABLE: dict[str, dict[str, str]] = {
    "airflow.decorators.base": _DECORATING,
    "airflow.exceptions": _ERRORS,
    "airflow.lineage.hook": _LINEAGE,
    "airflow.models": {
        **_all("flowd.compat.no_metastore", "DagBag", "DagModel", "Log", "Pool", "TaskFail", "TaskReschedule"),
        **_LINK, **_SKIPPING, "XCom": _XCOM["XCom"],
    },
    "airflow.models.baseoperatorlink": _LINK,
    "airflow.models.dag": _all("flowd.compat.no_metastore", "DagModel"),
    "airflow.models.dagbag": _all("flowd.compat.no_metastore", "DagBag"),
    "airflow.models.log": _all("flowd.compat.no_metastore", "Log"),
    "airflow.models.pool": _all("flowd.compat.no_metastore", "Pool"),
    "airflow.models.renderedtifields": _all("flowd.compat.no_metastore", "RenderedTaskInstanceFields"),
    "airflow.models.serialized_dag": _all("flowd.compat.no_metastore", "SerializedDagModel"),
    "airflow.models.skipmixin": _SKIPPING,
    "airflow.models.taskinstance": {**_all("flowd.sdk.context", "get_current_context"), **_TASK_KEY},
    "airflow.models.taskinstancekey": _TASK_KEY,
    "airflow.models.taskreschedule": _all("flowd.compat.no_metastore", "TaskReschedule"),
    "airflow.models.xcom": _XCOM,
    "airflow.operators.branch": _all("flowd.compat.skip_mixin", "BranchMixIn"),
    "airflow.operators.python": _SKIPPING,
    "airflow.providers.standard.operators.branch": _all("flowd.compat.skip_mixin", "BranchMixIn"),
    "airflow.providers.standard.utils.skipmixin": _SKIPPING,
    "airflow.providers_manager": _PLUGINS,
    "airflow.listeners": _all("flowd.sdk.listeners", "hookimpl"),
    "airflow.sdk": {
        **_STATE,
        **_ASSETS, **_ASYNC, **_LINK, **_SKIPPING, **_all("flowd.compat.skip_mixin", "BranchMixIn"),
        "BaseXCom": _XCOM["XCom"],
    },
    "airflow.sdk._shared.module_loading": _LOADING,
    "airflow.sdk._shared.secrets_masker": _MASKING,
    "airflow.sdk.bases.branch": {
        **_all("flowd.operators.branch", "BaseBranchOperator"), **_all("flowd.compat.skip_mixin", "BranchMixIn")
    },
    "airflow.sdk.bases.decorator": _DECORATING,
    "airflow.sdk.bases.operator": _ASYNC,
    "airflow.sdk.bases.operatorlink": _LINK,
    "airflow.sdk.bases.skipmixin": _SKIPPING,
    "airflow.sdk.bases.xcom": _XCOM,
    "airflow.sdk.definitions._internal.types": _NOT_SET,
    "airflow.sdk.definitions.asset": _ASSETS,
    "airflow.sdk.definitions.asset.decorators": _all("flowd.operators.asset_decorator", "asset"),
    "airflow.sdk.definitions.context": _CONTEXT,
    "airflow.sdk.exceptions": _ERRORS,
    "airflow.sdk.execution_time.context": {**_CONTEXT, **_CONTEXT_VARIABLES, **_STATE},
    "airflow.sdk.execution_time.secrets_masker": _MASKING,
    "airflow.sdk.execution_time.task_runner": {"RuntimeTaskInstance": "flowd.sdk.task_instance:RunningTaskInstance"},
    "airflow.sdk.execution_time.xcom": _XCOM,
    "airflow.sdk.lineage": _LINEAGE,
    "airflow.sdk.log": _MASKING,
    "airflow.sdk.module_loading": _LOADING,
    "airflow.sdk.providers_manager_runtime": {"ProvidersManagerTaskRuntime": _PLUGINS["ProvidersManager"]},
    "airflow.sdk.timezone": {
        name: f"flowd.compat.timezone:{name}"
        for name in ("coerce_datetime", "convert_to_utc", "datetime", "make_aware", "parse", "utc", "utcnow")
    },
    "airflow.sdk.types": _TASK_KEY,
    "airflow.settings": {
        **_all("flowd.compat.settings", "AIRFLOW_HOME", "DAGS_FOLDER", "TIMEZONE", "get_airflow_context_vars"),
        **_HOOKS_OF_POLICY,
        "Session": "flowd.compat.no_metastore:create_session",
    },
    "airflow.task.priority_strategy": _STRATEGY,
    "airflow.triggers.base": _all("flowd.sdk.triggers", "BaseEventTrigger"),
    "airflow.utils.context": _CONTEXT,
    "airflow.utils.db": _SESSION,
    "airflow.utils.deprecation_tools": _all("flowd.compat.moved_names", "add_deprecated_classes"),
    "airflow.utils.hashlib_wrapper": _all("hashlib", "md5"),
    "airflow.utils.helpers": _all(
        "flowd.compat.values",
        "as_flattened_list", "at_most_one", "chunks", "convert_camel_to_snake", "exactly_one", "is_container",
        "merge_dicts", "partition", "prune_dict", "validate_key",
    ),
    "airflow.utils.log.logging_mixin": _LOGGING,
    "airflow.utils.log.secrets_masker": _MASKING,
    "airflow.utils.module_loading": _LOADING,
    "airflow.utils.operator_helpers": {
        **_CONTEXT_VARIABLES,
        **_all("flowd.operators.custom_decorated", "make_kwargs_callable"),
        "determine_kwargs": _DECORATING["determine_kwargs"],
    },
    "airflow.utils.platform": _all("getpass", "getuser"),
    "airflow.utils.session": _SESSION,
    "airflow.utils.strings": _all("flowd.compat.values", "get_random_string", "to_boolean"),
    "airflow.utils.types": {
        **_NOT_SET,
        "DagRunType": "flowd.domain.states:RunType",
    },
    "airflow.utils.yaml": _YAML,
}  # fmt: skip
"""Modules beside those of DAG files; what of a module is here is added to what the table has of it."""
