"""The example DAG files, loaded as a worker loads them."""

import sys
from pathlib import Path
from types import ModuleType

from flowd.sdk.dag import DAG
from flowd.sdk.dag_file import load, module_name

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "examples" / "dags"
FILES = sorted(path.name for path in FOLDER.glob("*.py"))


def dag_of(file: str) -> DAG:
    """The one DAG of an example."""
    (dag,) = load(str(FOLDER), file)
    return dag


def module_of(file: str) -> ModuleType:
    """The module of an example, to call its functions."""
    load(str(FOLDER), file)
    return sys.modules[module_name(file)]
