"""Providers that are installed beside flowd: found under `airflow/providers` on sys.path, and imported for real.

So are Airflow's own example DAGs, which import from one another.
"""

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

OURS = "airflow.providers.standard"
"""The one provider that flowd itself is."""


def find_real_provider(fullname: str) -> ModuleSpec | None:
    """Return the spec of an installed module below `airflow.providers`, None where there is none."""
    parts = fullname.split(".")
    is_example = parts[1:2] == ["example_dags"]
    is_provider = len(parts) > 2 and parts[1] == "providers" and ".".join(parts[:3]) != OURS
    if not is_example and not is_provider:
        return None
    folders = [os.path.join(entry, *parts[:-1]) for entry in sys.path]
    present = [folder for folder in folders if os.path.isdir(folder)]
    return PathFinder.find_spec(fullname, present) if present else None
