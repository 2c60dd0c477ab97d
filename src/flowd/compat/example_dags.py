"""`airflow.example_dags`: the folder of Airflow's examples, for files of it that import from each other.

Airflow has them in its own package. Where a DAG folder is a copy of that folder, they are found there.
"""

from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder

NAME = "airflow.example_dags"

_folders: list[str] = []


def examples_are_in(folder: str) -> None:
    """Look for the examples in this folder from now on, before all others."""
    if folder in _folders:
        _folders.remove(folder)
    _folders.insert(0, folder)


def find_example(fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Return the spec of the package or of a module in it; raise ModuleNotFoundError for one that is not there."""
    if fullname == NAME:
        package = ModuleSpec(fullname, None, is_package=True)
        package.submodule_search_locations = _folders
        return package
    if not fullname.startswith(f"{NAME}."):
        return None
    found = PathFinder.find_spec(fullname, path)
    if found is None:
        # Without a `name`, or `from airflow.x import y` would swallow it and say less.
        raise ModuleNotFoundError(
            f"{fullname} is one of Airflow's own examples and not in the DAG folder; copy it there, or import your own"
        )
    return found
