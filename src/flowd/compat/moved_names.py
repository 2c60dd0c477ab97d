"""`airflow.utils.deprecation_tools`: old paths that a provider keeps for what it has moved."""

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def add_deprecated_classes(module_imports: Mapping[str, Mapping[str, str]], package: str, *_: Any, **__: Any) -> None:
    """Let the modules named in `module_imports` below `package`, or `package` itself, give what has moved.

    `module_imports` says of each module under which dotted name each of its names is now.
    """
    for name, moved in module_imports.items():
        look_up = _looking_up(moved)
        if name == package:
            sys.modules[package].__getattr__ = look_up  # type: ignore[method-assign]
        else:
            module = ModuleType(f"{package}.{name}")
            module.__getattr__ = look_up  # type: ignore[method-assign]
            sys.modules.setdefault(module.__name__, module)


def _looking_up(moved: Mapping[str, str]) -> Callable[[str], Any]:
    def look_up(name: str) -> Any:
        if name not in moved:
            raise AttributeError(f"no {name!r} here")
        module, _, attribute = moved[name].rpartition(".")
        return getattr(importlib.import_module(module), attribute)

    return look_up
