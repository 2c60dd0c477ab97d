"""What the provider packages installed beside flowd bring: hooks by connection type, and @task variants.

A provider tells it by its entry point `apache_airflow_provider`, a function that returns a dict.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

_GROUP = "apache_airflow_provider"


@lru_cache(1)
def hook_classes() -> Mapping[str, str]:
    """Return the dotted name of the hook class of each connection type."""
    return {
        kind["connection-type"]: kind["hook-class-name"]
        for told in _told()
        for kind in told.get("connection-types", ())
        if "connection-type" in kind and "hook-class-name" in kind
    }


@lru_cache(1)
def task_decorators() -> Mapping[str, str]:
    """Return the dotted name of the function behind each variant of @task."""
    return {one["name"]: one["class-name"] for told in _told() for one in told.get("task-decorators", ())}


@lru_cache(1)
def file_systems() -> Mapping[str, Any]:
    """Return, for each protocol, the function that opens a file system from a connection id and options."""
    found: dict[str, Any] = {}
    for name in (name for told in _told() for name in told.get("filesystems", ())):
        try:
            module = import_module(name)
            found |= dict.fromkeys(module.schemes, module.get_fs)
        except Exception:
            # As below: it brings none, and the protocol's own library may do without it.
            continue
    return found


def import_dotted(name: str) -> Any:
    """Return what a dotted name leads to; raise ImportError or AttributeError where it leads nowhere."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def _told() -> Iterator[Mapping[str, Any]]:
    for point in entry_points(group=_GROUP):
        try:
            told = point.load()()
        except Exception:
            # A provider that is broken has no say in what the others bring; whoever imports it hears why.
            continue
        if isinstance(told, Mapping):
            yield told
