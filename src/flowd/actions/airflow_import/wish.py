"""Wish: what of an Airflow installation is asked for, and how."""

from dataclasses import dataclass
from datetime import datetime

from flowd.actions.airflow_import.report import Part

ASKABLE = (Part.POOLS, Part.VARIABLES, Part.CONNECTIONS, Part.RUNS, Part.PAUSES)
"""What may be asked for by itself; task instances come with their runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for.

    `overwrite` gives what flowd has already Airflow's value; else it stays. `unpause` lets DAGs go on that go on in
    Airflow: a wish of its own, for both systems would run them. Runs that ended before `since` are left out. What no
    key opens is left out with `skip_unreadable`, and else nothing is imported at all.
    """

    parts: frozenset[Part] = frozenset(ASKABLE)
    overwrite: bool = False
    unpause: bool = False
    is_dry_run: bool = False
    skip_unreadable: bool = False
    since: datetime | None = None
