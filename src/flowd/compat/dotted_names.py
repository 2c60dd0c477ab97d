"""Dotted names: what they lead to, and those of things; `airflow.utils.module_loading`."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any


def import_string(dotted_path: str) -> Any:
    """Return what the dotted name leads to; raise ImportError where it leads nowhere."""
    module, _, name = dotted_path.rpartition(".")
    if not module:
        raise ImportError(f"{dotted_path!r} is no dotted name, such as package.module.Class")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError as error:
        raise ImportError(f"module {module!r} has no {name!r}") from error


def qualname(thing: Any, use_qualname: bool = False, exclude_module: bool = False) -> str:
    """Return the dotted name of a class, a function, or the class of an object."""
    has_name = callable(thing) and hasattr(thing, "__name__")
    named = thing if has_name else type(thing)
    name: str = named.__qualname__ if use_qualname or exclude_module or not has_name else named.__name__
    return name if exclude_module else f"{named.__module__}.{name}"


def iter_namespace(namespace: ModuleType) -> Iterator[pkgutil.ModuleInfo]:
    """Yield the modules of a package, by their full names."""
    return pkgutil.iter_modules(namespace.__path__, f"{namespace.__name__}.")


def is_valid_dotpath(path: Any) -> bool:
    """Return True where `path` is text of identifiers with dots between them."""
    return isinstance(path, str) and path.isascii() and all(part.isidentifier() for part in path.split("."))
