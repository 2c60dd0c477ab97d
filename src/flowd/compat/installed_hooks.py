"""`airflow.providers_manager`: what the installed providers bring."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from flowd.sdk.provider_packages import hook_classes, import_dotted


class ProvidersManager:
    """The installed providers, as far as hooks ask: which hook belongs to a connection type."""

    def initialize_providers_hooks(self) -> None:
        """Do nothing: they are looked up when they are asked for."""

    @property
    def hooks(self) -> Mapping[str, Any]:
        """Of each connection type the name, class name and connection argument of its hook."""
        return {kind: _facts(kind, name) for kind, name in hook_classes().items()}

    @property
    def already_initialized_provider_configs(self) -> list[Any]:
        """Nothing: options of providers are read from the environment."""
        return []


def _facts(kind: str, name: str) -> Any:
    try:
        hook = import_dotted(name)
    except (ImportError, AttributeError):
        return None
    return SimpleNamespace(
        hook_class=hook,
        hook_class_name=name,
        hook_name=getattr(hook, "hook_name", kind),
        connection_type=kind,
        connection_id_attribute_name=getattr(hook, "conn_name_attr", "conn_id"),
    )
