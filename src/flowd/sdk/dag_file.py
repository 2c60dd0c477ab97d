"""Loading a DAG file: importing it as a module of its own and collecting its DAGs."""

import hashlib
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from flowd.domain.errors import InvalidDag
from flowd.sdk.dag import DAG
from flowd.sdk.dag_context import collecting
from flowd.sdk.moments import pendulum

_loaded: dict[tuple[str, str], list[DAG]] = {}


def load(root: str, file: str) -> list[DAG]:
    """Return the DAGs of `file` (relative to the DAG folder `root`): its globals, then those that registered.

    The file is imported once per process; `root` and `root/plugins` are on sys.path from then on, and `airflow`
    imports work. What the file raises is raised, and the next call tries again. Raises InvalidDag for two DAGs of one
    id or a file that is none.
    """
    if (root, file) not in _loaded:
        _loaded[root, file] = _load(Path(root), file)
    return _loaded[root, file]


def module_name(file: str) -> str:
    """Return the module name of a DAG file: unique, and the same wherever its folder lies."""
    stem = re.sub(r"\W", "_", Path(file).stem)
    return f"flowd_dag_{hashlib.sha256(file.encode()).hexdigest()[:12]}_{stem}"


def prepare(root: str | None) -> None:
    """Let `airflow` imports work, and those of modules in the DAG folder `root`, if one is given, and its plugins."""
    # The finder is a floor above this one, and DAG files and what they define are the only code that needs it.
    compat = importlib.import_module("flowd.compat")
    compat.install()
    if root is None:
        return
    for folder in (Path(root) / "plugins", Path(root)):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    compat.examples_are_in(root)
    compat.load_plugins(Path(root) / "plugins")


def _load(root: Path, file: str) -> list[DAG]:
    prepare(str(root))
    name = module_name(file)
    with collecting(name) as collection:
        module = _import(name, root / file)
    # Contexts are made of its dates; imported here, a process forked from this one need not import it for each task.
    pendulum()
    in_globals = [value for value in vars(module).values() if isinstance(value, DAG)]
    dags = list({id(dag): dag for dag in (*in_globals, *collection.dags)}.values())
    for dag in dags:
        if any(dag.dag_id == other.dag_id and dag is not other for other in dags):
            raise InvalidDag(f"{file}: two DAGs have the id {dag.dag_id!r}; give each its own dag_id")
        dag.fileloc = str(root / file)
    return dags


def _import(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidDag(f"{path.name} is no Python file; a DAG file ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
