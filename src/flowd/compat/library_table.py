"""The table's second part: paths beside DAGs, tasks and operators; and paths that are others put together."""

from collections.abc import Mapping

_CONF = {"conf": "flowd.compat.configuration:conf"}
_LOGGING = {"LoggingMixin": "flowd.compat.logging_mixin:LoggingMixin"}
_PROPERTIES = {"Properties": "builtins:dict"}
_PLUGIN = {"AirflowPlugin": "flowd.compat.plugins:AirflowPlugin"}
OBJECT_PATH = {"ObjectStoragePath": "flowd.sdk.object_path:ObjectStoragePath"}
_OBJECT_STORE = {name: f"flowd.sdk.object_store:{name}" for name in ("attach", "get_fs", "has_fs")}
_OBJECT_STORE_ATTACHED = {
    "ObjectStore": "flowd.sdk.object_store:ObjectStore",
    "attach": "flowd.sdk.object_store:attach",
}
_WEEKDAY = {"WeekDay": "flowd.sdk.weekday:WeekDay"}

LIBRARY: dict[str, dict[str, str]] = {
    "airflow.configuration": _CONF,
    "airflow.io": {**OBJECT_PATH, **_OBJECT_STORE, **_PROPERTIES},
    "airflow.io.path": OBJECT_PATH,
    "airflow.io.storage": _OBJECT_STORE_ATTACHED,
    "airflow.io.store": _OBJECT_STORE_ATTACHED,
    "airflow.io.typedef": _PROPERTIES,
    "airflow.plugins_manager": _PLUGIN,
    "airflow.providers.common.compat.sdk": {**_CONF, **_LOGGING, **_PLUGIN},
    "airflow.providers.standard.utils.weekday": _WEEKDAY,
    "airflow.sdk.configuration": _CONF,
    "airflow.sdk.io": {**OBJECT_PATH, **_OBJECT_STORE, **_PROPERTIES},
    "airflow.sdk.io.fs": _OBJECT_STORE,
    "airflow.sdk.io.path": OBJECT_PATH,
    "airflow.sdk.io.store": _OBJECT_STORE_ATTACHED,
    "airflow.sdk.io.typedef": _PROPERTIES,
    "airflow.sdk.plugins_manager": _PLUGIN,
    "airflow.utils.weekday": _WEEKDAY,
}
"""Modules that no DAG, task or operator is in."""

PUT_TOGETHER = {
    "airflow.operators": "airflow.operators.",
    "airflow.providers.common.compat.sdk": "airflow.sdk.",
    "airflow.sensors": "airflow.sensors.",
}
"""Modules that have the names of all modules that begin so: Airflow 1.10 had every operator in `airflow.operators`."""


def put_together(modules: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return the modules whose names are those of other modules of the table."""
    return {
        module: {
            name: home
            for other, names in modules.items()
            if f"{other}.".startswith(beginning)
            for name, home in names.items()
        }
        for module, beginning in PUT_TOGETHER.items()
    }
