"""The meta-path finder that answers for `airflow` and everything below it, whether Airflow is installed or not."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from flowd.compat.example_dags import find_example
from flowd.compat.importer import expects_failure
from flowd.compat.library_table import PUT_TOGETHER
from flowd.compat.real_provider import find_real_provider
from flowd.compat.services_table import SERVICES
from flowd.compat.stub import StubModule, is_stub_territory
from flowd.compat.table import MODULES
from flowd.sdk.keywords import nearest

_PACKAGES = {name.rsplit(".", depth)[0] for name in MODULES for depth in range(name.count(".") + 1)}
KNOWN = frozenset(MODULES) | _PACKAGES
"""Every module that can be imported: those of the table and the packages around them."""


_OWN = frozenset(
    ("api", "api_connexion", "api_fastapi", "auth", "cli", "dag_processing", "executors", "jobs", "ti_deps", "www")
)
"""Packages of Airflow's own processes."""


def install() -> None:
    """Put the finder before all others; a second call changes nothing."""
    if not any(isinstance(finder, AirflowFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AirflowFinder())


class AirflowFinder(MetaPathFinder):
    """Finds `airflow` modules: installed providers, examples, the table, then stubs for providers not installed.

    One that is none of them is an error that names the nearest known.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a known airflow module, None for a module of anything else."""
        if fullname != "airflow" and not fullname.startswith("airflow."):
            return None
        real = find_real_provider(fullname)
        if real is not None:
            return real
        example = find_example(fullname, path)
        if example is not None:
            return example
        if _may_be_stub(fullname) and not expects_failure():
            return ModuleSpec(fullname, _StubLoader(), is_package=True)
        if fullname not in KNOWN:
            # Without a `name`, or `from airflow.x import y` would swallow it and say less.
            raise ModuleNotFoundError(_missing(fullname))
        # Every module is a package, so that an unknown name in it is looked up here and gets its explanation.
        return ModuleSpec(fullname, _TableLoader(), is_package=True)


def _may_be_stub(fullname: str) -> bool:
    # A name that a module of the table lacks is looked for as a module too, and is a mistake.
    parent = fullname.rpartition(".")[0]
    is_of_known_module = parent.count(".") > 1 and parent in MODULES
    return fullname not in KNOWN and is_stub_territory(fullname) and not is_of_known_module


class _TableLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _AirflowModule(spec.name, f"flowd's stand-in for {spec.name}")

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__all__"] = sorted(MODULES.get(module.__name__, {}))


class _StubLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StubModule(spec.name, f"stands in for {spec.name}, which is not installed")

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: every name is made when it is first used."""


class _AirflowModule(ModuleType):
    """A module whose names are imported from their home when they are first used."""

    def __getattr__(self, name: str) -> Any:
        target = MODULES.get(self.__name__, {}).get(name)
        if target is not None:
            home, _, attribute = target.partition(":")
            module = importlib.import_module(home)
            value = getattr(module, attribute) if attribute else module
        elif f"{self.__name__}.{name}" in KNOWN:
            value = importlib.import_module(f"{self.__name__}.{name}")
        elif self.__name__ in SERVICES and not name.startswith("__"):
            value = getattr(StubModule(self.__name__), name)
        else:
            raise AttributeError(_missing(f"{self.__name__}.{name}"))
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *MODULES.get(self.__name__, {})})


def _missing(fullname: str) -> str:
    parent, _, name = fullname.rpartition(".")
    if fullname not in KNOWN and fullname.split(".")[1] in _OWN:
        return (
            f"{fullname} is of Airflow's own processes, and not in flowd; a task triggers runs with"
            " TriggerDagRunOperator, and all else is asked of flowd's REST API, which answers as Airflow's does"
        )
    if parent in KNOWN:
        names = set(MODULES.get(parent, {})) | {known.rpartition(".")[2] for known in KNOWN if _is_child(known, parent)}
        elsewhere = sorted(
            f"{module}.{name}" for module, table in MODULES.items() if name in table and module not in PUT_TOGETHER
        )
        hint = f"; it is {elsewhere[0]}" if elsewhere else nearest(name, names)
        return f"flowd has no {name!r} in {parent}{hint}"
    return f"flowd has no module {fullname}{nearest(fullname, KNOWN)}"


def _is_child(module: str, parent: str) -> bool:
    return module.rpartition(".")[0] == parent
