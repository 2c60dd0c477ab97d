"""Stubs: what a DAG file gets for a provider that is not installed. The file loads; using the stub in a task fails."""

from collections.abc import Iterator
from inspect import isfunction
from types import ModuleType
from typing import Any, NoReturn, Self

from flowd.compat.provider_package import package_of
from flowd.compat.real_provider import OURS
from flowd.compat.stub_operator import StubOperator
from flowd.sdk.context import is_in_task
from flowd.sdk.exceptions import MissingProvider

_OPERATORS = ("Operator", "OperatorAsync", "Sensor", "SensorAsync", "Transfer")
"""How the names of operators end."""


def is_stub_territory(module: str) -> bool:
    """Return True for the modules that Airflow's providers have, or had before they were packages of their own."""
    parts = module.split(".")
    if len(parts) < 3:
        return parts[1:] == ["contrib"]
    return parts[1] in ("contrib", "operators", "sensors", "hooks", "providers", "notifications")


class StubModule(ModuleType):
    """A module that has every name: operators and sensors as classes, all else as something that fails when used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _stub(self.__name__, name)
        setattr(self, name, value)
        return value


def _stub(module: str, name: str) -> Any:
    is_class = name[:1].isupper() and not name.isupper()
    facts = {"__module__": module, "__doc__": f"Stands in for {module}.{name}, which is not installed."}
    if is_class and name.endswith(_OPERATORS):
        return type(name, (StubOperator,), {**facts, "_missing": missing(module, name)})
    if is_class:
        return _StubClass(name, (_StubObject,), facts)
    return _StubObject.of(module, name)


def missing(module: str, name: str) -> str:
    """Return what is missing for `name` of `module`, and what to do about it."""
    if f"{module}.".startswith(f"{OURS}."):
        return f"{module}.{name} is not part of this version of flowd: do its work in a @task"
    package = package_of(module)
    install = f"install {package} beside flowd where workers run" if package else "install the package that has it"
    return (
        f"{module}.{name} is not installed and not part of flowd: {install}, or do its work in a @task with the "
        "service's own Python client"
    )


class _StubClass(type):
    """A class whose missing attributes are stubs too: the members of an enumeration, class methods."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _StubObject.of(cls.__module__, f"{cls.__qualname__}.{name}")

    def __iter__(cls) -> Iterator[NoReturn]:
        return iter(())


class _StubObject(metaclass=_StubClass):
    """An object of a class that is not installed, or a function: may be made, called and passed on, and does nothing.

    Within a running task nothing may be got from it: `MissingProvider` says which package it would need.
    """

    _origin: tuple[str, str] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Accept whatever the real one may."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Accept the keywords of a class statement too."""

    @classmethod
    def of(cls, module: str, name: str) -> Self:
        """Return the stub of a function, a constant or a member of a class."""
        stub = cls.__new__(cls)
        stub._origin = (module, name)
        return stub

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return a stub of what the call would give, or the decorated function; fail in a running task."""
        module, name = self._named()
        _refuse_in_task(module, name)
        is_decorating = len(args) == 1 and isfunction(args[0]) and not kwargs
        return args[0] if is_decorating else _StubObject.of(module, f"{name}()")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("template_fields", "resolve"):
            raise AttributeError(name)
        module, own = self._named()
        _refuse_in_task(module, own)
        return _StubObject.of(module, f"{own}.{name}")

    def __getitem__(self, key: Any) -> Any:
        module, own = self._named()
        _refuse_in_task(module, own)
        return _StubObject.of(module, f"{own}[{key!r}]")

    def __iter__(self) -> Iterator[NoReturn]:
        # Without it Python would ask for items by number, and there is no end of them.
        return iter(())

    def __str__(self) -> str:
        return ".".join(self._named())

    __repr__ = __str__

    def _named(self) -> tuple[str, str]:
        return self._origin or (type(self).__module__, type(self).__qualname__)


def _refuse_in_task(module: str, name: str) -> None:
    if is_in_task():
        raise MissingProvider(missing(module, name))
