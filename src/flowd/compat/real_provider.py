"""Providers that are installed beside flowd: found under `airflow/providers` on sys.path, and imported for real."""

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

OURS = "airflow.providers.standard"
"""The one provider that flowd itself is."""


def find_real_provider(fullname: str) -> ModuleSpec | None:
    """Return the spec of an installed module below `airflow.providers`, None where there is none."""
    parts = fullname.split(".")
    if len(parts) < 3 or parts[1] != "providers" or ".".join(parts[:3]) == OURS:
        return None
    folders = [os.path.join(entry, *parts[:-1]) for entry in sys.path]
    present = [folder for folder in folders if os.path.isdir(folder)]
    return PathFinder.find_spec(fullname, present) if present else None
